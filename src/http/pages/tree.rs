//! The files of the web pages: whichever lay in `web/dist` when the program was built, each in the forms it can be sent in.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use actix_web::http::header::{AcceptEncoding, Encoding};
use actix_web::web::Bytes;
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

/// The start of the admin UI.
pub const INDEX: &str = "index.html";
/// The page on which a number is linked.
pub const PAIR: &str = "pair.html";
/// Names below it have a hash of their content in them, so what they name never changes.
const HASHED: &str = "assets/";
/// Digits of a tag: enough to tell the versions of one file apart.
const TAG: usize = 20;

/// A missing folder is as good as an empty one.
#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Built;

/// Files by name.
#[derive(Debug, Clone, Default)]
pub struct Tree(BTreeMap<String, File>);

/// One file.
#[derive(Debug, Clone)]
pub struct File {
    plain: Bytes,
    brotli: Option<Bytes>,
    gzip: Option<Bytes>,
    tag: String,
    /// As what it is sent.
    pub media: String,
    /// Whether its name changes with its content.
    pub is_hashed: bool,
}

/// A file in the form in which it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// What is sent.
    pub body: Bytes,
    /// How it is encoded; nothing for a file as it is.
    pub encoding: Option<&'static str>,
    /// Names these very bytes, in quotes.
    pub tag: String,
}

impl Tree {
    /// What this program was built with: nothing, if its pages were not built before.
    pub fn built() -> Arc<Self> {
        static BUILT: LazyLock<Arc<Tree>> = LazyLock::new(|| {
            // What begins with a dot is the build's own.
            let named = Built::iter().filter(|name| !name.starts_with('.'));
            let files = named.filter_map(|name| Some((name.to_string(), Built::get(&name)?.data)));
            Arc::new(Tree::of(files))
        });
        Arc::clone(&BUILT)
    }

    /// Puts files together; `x.br` and `x.gz` are other forms of `x`, and no files of their own.
    pub fn of(files: impl IntoIterator<Item = (String, Cow<'static, [u8]>)>) -> Self {
        let mut bytes: BTreeMap<String, Bytes> = files
            .into_iter()
            .map(|(name, data)| match data {
                Cow::Borrowed(data) => (name, Bytes::from_static(data)),
                Cow::Owned(data) => (name, Bytes::from(data)),
            })
            .collect();
        let is_form = |name: &str| name.ends_with(".br") || name.ends_with(".gz");
        let names: Vec<_> = bytes.keys().filter(|name| !is_form(name)).cloned().collect();
        let file = |name: String| {
            let plain = bytes.remove(&name)?;
            let (brotli, gzip) = (bytes.remove(&format!("{name}.br")), bytes.remove(&format!("{name}.gz")));
            let tag = hex::encode(Sha256::digest(&plain))[..TAG].to_owned();
            let (media, is_hashed) = (media_of(&name), name.starts_with(HASHED));
            Some((name, File { plain, brotli, gzip, tag, media, is_hashed }))
        };
        Self(names.into_iter().filter_map(file).collect())
    }

    /// The file of this name.
    pub fn get(&self, name: &str) -> Option<&File> {
        self.0.get(name)
    }
}

impl File {
    /// The smallest form that the client takes.
    pub fn form(&self, accepted: Option<&AcceptEncoding>) -> Form {
        // Asked for one at a time: between two that are taken alike the client's order says nothing, the size does.
        let takes = |encoding: Encoding| {
            accepted
                .is_some_and(|accepted| accepted.negotiate([&encoding].into_iter()) == Some(encoding.clone()))
        };
        let forms = [(&self.brotli, Encoding::brotli(), "br"), (&self.gzip, Encoding::gzip(), "gzip")];
        for (body, encoding, name) in forms {
            if let Some(body) = body.as_ref().filter(|_| takes(encoding)) {
                let tag = format!("\"{}-{name}\"", self.tag);
                return Form { body: body.clone(), encoding: Some(name), tag };
            }
        }
        Form { body: self.plain.clone(), encoding: None, tag: format!("\"{}\"", self.tag) }
    }

    /// Whether it is a page, which says what its content may do.
    pub fn is_page(&self) -> bool {
        self.media.starts_with("text/html")
    }
}

/// By the ending of the name; text is UTF-8.
fn media_of(name: &str) -> String {
    let media = mime_guess::from_path(name).first_or_octet_stream();
    match media.type_().as_str() {
        "text" => format!("{media}; charset=utf-8"),
        _ => media.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn tree() -> Tree {
        let files = [("app.js", "script"), ("app.js.br", "b"), ("app.js.gz", "g"), ("plain.svg", "<svg/>")];
        Tree::of(files.map(|(name, text)| (name.to_owned(), Cow::Borrowed(text.as_bytes()))))
    }

    #[rstest]
    #[case("br, gzip", Some("br"))]
    #[case("gzip, deflate, br, zstd", Some("br"))]
    #[case("gzip", Some("gzip"))]
    #[case("br;q=0, gzip", Some("gzip"))]
    #[case("identity", None)]
    #[case("", None)]
    #[case("zstd", None)]
    fn the_smallest_form_that_is_taken_is_sent(#[case] accepted: &str, #[case] sent: Option<&str>) {
        let accepted = AcceptEncoding(accepted.split(", ").filter_map(|item| item.parse().ok()).collect());
        let form = tree().get("app.js").expect("a file").form(Some(&accepted));
        assert_eq!(form.encoding, sent);
        assert_eq!(
            &form.body[..],
            match sent {
                Some("br") => b"b",
                Some(_) => b"g",
                None => &b"script"[..],
            }
        );
    }

    #[test]
    fn forms_are_no_files_and_each_has_a_tag_of_its_own() {
        let tree = tree();
        assert!(tree.get("app.js.br").is_none() && tree.get("app.js.gz").is_none());
        let takes = |text: &str| AcceptEncoding(vec![text.parse().expect("an encoding")]);
        let file = tree.get("app.js").expect("a file");
        let tags = [Some(&takes("br")), Some(&takes("gzip")), None].map(|accepted| file.form(accepted).tag);
        assert_eq!(std::collections::BTreeSet::from(tags).len(), 3);
        let only = tree.get("plain.svg").expect("a file").form(Some(&takes("br")));
        assert_eq!((only.encoding, &only.body[..]), (None, &b"<svg/>"[..]));
    }
}
