//! Closed lists of words as values of flags: who mistypes one is told the others.

use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use strum::IntoEnumIterator;

/// Takes the words of `T`, and nothing else.
pub fn words<T>() -> impl TypedValueParser<Value = T>
where
    T: IntoEnumIterator + Into<&'static str> + FromStr + Clone + Send + Sync + 'static,
{
    let all = PossibleValuesParser::new(T::iter().map(Into::<&'static str>::into));
    all.try_map(|word| word.parse::<T>().map_err(|_| "not one of the words"))
}
