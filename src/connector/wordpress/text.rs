//! Texts as WordPress keeps them: in one line, with some characters written as HTML entities, and without markup
//! (`wordpress.md` 4, "Fields").
//!
//! What it shows is what it keeps, so entities are decoded once when a text is read. A text that would not come back the
//! same from there is known here before it is sent.

/// The entities WordPress writes itself, and those it leaves where somebody else wrote them.
const NAMED: &[(&str, char)] = &[("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\'')];

/// The longest entity that is looked for, without `&` and `;`: the largest character in decimal digits.
const LONGEST: usize = "#1114111".len();

/// A text of WordPress's with its entities decoded, once.
pub(super) fn decoded(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, after) = rest.split_at(at);
        plain.push_str(before);
        let entity = after[1..].find(';').filter(|end| *end <= LONGEST).map(|end| &after[1..=end]);
        if let Some((entity, sign)) = entity.and_then(|entity| Some((entity, sign(entity)?))) {
            plain.push(sign);
            rest = &after[entity.len() + 2..];
        } else {
            plain.push('&');
            rest = &after[1..];
        }
    }
    plain.push_str(rest);
    plain
}

/// The character an entity stands for.
fn sign(entity: &str) -> Option<char> {
    let Some(number) = entity.strip_prefix('#') else {
        return NAMED.iter().find(|(name, _)| *name == entity).map(|(_, sign)| *sign);
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) if hex.bytes().all(|digit| digit.is_ascii_hexdigit()) => u32::from_str_radix(hex, 16).ok()?,
        None if number.bytes().all(|digit| digit.is_ascii_digit()) => number.parse().ok()?,
        _ => return None,
    };
    char::from_u32(code)
}

/// A text in one line and without blanks around it, as WordPress stores names.
pub(super) fn in_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line.trim_matches(['\0', '\u{b}', ' ']).to_owned()
}

/// Why a text would not come back from WordPress as it was sent; `None` where it would.
pub(super) fn harmed(text: &str) -> Option<&'static str> {
    if text.split_once('<').is_some_and(|(_, after)| after.contains('>')) {
        return Some("WordPress takes what stands between `<` and `>` for markup and drops it");
    }
    if decoded(text) != text {
        return Some("it holds an HTML entity, which WordPress keeps as the character it stands for");
    }
    let is_octet = |window: &[u8]| window[0] == b'%' && window[1..].iter().all(u8::is_ascii_hexdigit);
    if text.as_bytes().windows(3).any(is_octet) {
        return Some("WordPress takes `%` with two hexadecimal digits for an encoded character and drops it");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_decoded_once_and_the_rest_is_left() {
        for (kept, plain) in [
            ("R&amp;D Test", "R&D Test"),
            ("R&amp;amp;D", "R&amp;D"),
            ("a &lt;b&gt; c", "a <b> c"),
            ("O&#039;Neill &#x27;x&#X27;", "O'Neill 'x'"),
            ("&quot;Max&quot; &apos;", "\"Max\" '"),
            ("AT&T; & Söhne &", "AT&T; & Söhne &"),
            ("&eacute;&#xD800;&#;&#x;&;&#-1;&#+5;", "&eacute;&#xD800;&#;&#x;&;&#-1;&#+5;"),
            ("&ü;&amp", "&ü;&amp"),
            ("", ""),
        ] {
            assert_eq!(decoded(kept), plain, "{kept}");
        }
    }

    #[test]
    fn names_stand_in_one_line_without_blanks_around() {
        for (given, line) in
            [("  Anna \t Maria\r\nMeyer ", "Anna Maria Meyer"), ("Anna", "Anna"), (" \n", ""), ("ü  ß", "ü ß")]
        {
            assert_eq!(in_one_line(given), line);
            assert_eq!(in_one_line(line), line);
        }
    }

    #[test]
    fn markup_entities_and_encoded_characters_do_not_come_back() {
        for harmless in ["R&D", "AT&T;", "a < b", "a > b", "100 %", "50%ig", "O'Neill \"X\"", "&eacute;", "Ü"] {
            assert_eq!(harmed(harmless), None, "{harmless}");
        }
        for harmful in ["<b>Anna</b>", "x<y>", "R&amp;D", "&#039;", "a%20b", "%C3%BC"] {
            assert!(harmed(harmful).is_some(), "{harmful}");
        }
    }
}
