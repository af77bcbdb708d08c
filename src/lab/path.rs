//! What stands in an address, without its percent signs.

/// A path, or a part of one, as it was meant. A `+` is one.
pub(super) fn decoded(path: &str) -> String {
    let marked = format!("path={}", path.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(marked.as_bytes()).next().map(|(_, path)| path.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_once() {
        for (path, expected) in [
            ("/a%40b", "/a@b"),
            ("/%2540", "/%40"),
            ("/100%", "/100%"),
            ("/%zz", "/%zz"),
            ("/a+b", "/a+b"),
            ("/a&b=c", "/a&b=c"),
        ] {
            assert_eq!(decoded(path), expected);
        }
    }
}
