//! Closed lists of words: in JSON, in rows and in logs each variant is its name in snake case, and nothing else.

/// Declares enums whose variants are words. Each can be written, read, listed and compared.
macro_rules! words {
    ($($(#[$meta:meta])* pub enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident),* $(,)? })*) => {$(
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
            strum::Display, strum::EnumString, strum::EnumIter, strum::IntoStaticStr, schemars::JsonSchema,
        )]
        #[serde(rename_all = "snake_case")]
        #[strum(serialize_all = "snake_case")]
        pub enum $name { $($(#[$variant_meta])* $variant),* }
    )*};
}

pub(crate) use words;
