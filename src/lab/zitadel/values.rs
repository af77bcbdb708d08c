//! How ZITADEL reads a value: e-mail addresses, telephone numbers, language tags, domain names.
//!
//! Pure functions over text. They follow the libraries the server uses (Go's `net/mail`, libphonenumber with Switzerland
//! as home, `x/text/language`) as far as an attribute of a person can tell the difference (`zitadel.md` 5).

/// An address as Go's `mail.ParseAddress` understands it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mailbox {
    /// True for `Jane <jane@example.org>`.
    pub(super) named: bool,
    pub(super) address: String,
}

/// Reads one mailbox; the error is the library's own text.
pub(super) fn mailbox(text: &str) -> Result<Mailbox, String> {
    let text = text.trim_matches([' ', '\t']);
    if text.is_empty() {
        return Err("mail: no address".to_owned());
    }
    if let Some((address, rest)) = address_spec(text) {
        return only(Mailbox { named: false, address }, rest);
    }
    let (name, rest) = if text.starts_with('<') { (String::new(), text) } else { phrase(text)? };
    let Some(angle) = rest.trim_start().strip_prefix('<') else {
        let atom = name.chars().all(|letter| letter == '.' || is_atom(letter));
        return Err(if atom { "mail: missing '@' or angle-addr" } else { "mail: no angle-addr" }.to_owned());
    };
    let Some((address, rest)) = address_spec(angle) else { return Err("mail: no angle-addr".to_owned()) };
    let Some(rest) = rest.strip_prefix('>') else { return Err("mail: unclosed angle-addr".to_owned()) };
    only(Mailbox { named: !name.is_empty(), address }, rest)
}

fn only(found: Mailbox, rest: &str) -> Result<Mailbox, String> {
    let rest = rest.trim_start();
    if rest.is_empty() { Ok(found) } else { Err(format!("mail: expected single address, got {rest:?}")) }
}

fn is_atom(letter: char) -> bool {
    !letter.is_ascii() || letter.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(letter)
}

/// The longest run of atoms with dots between them, none leading, doubled or trailing.
fn dotted(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|letter| letter != '.' && !is_atom(letter)).unwrap_or(text.len());
    let (atom, rest) = text.split_at(end);
    let proper = !atom.is_empty() && atom.split('.').all(|part| !part.is_empty());
    proper.then_some((atom, rest))
}

/// Reads a quoted string; gives what is between the marks.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('"')?;
    let (mut found, mut escaped) = (String::new(), false);
    for (at, letter) in inner.char_indices() {
        match letter {
            _ if escaped => {
                found.push(letter);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((found, &inner[at + 1..])),
            _ => found.push(letter),
        }
    }
    None
}

fn address_spec(text: &str) -> Option<(String, &str)> {
    let (local, rest) = match quoted(text) {
        Some((inner, rest)) if !inner.is_empty() => (format!("\"{inner}\""), rest),
        Some(_) => return None,
        None => dotted(text).map(|(atom, rest)| (atom.to_owned(), rest))?,
    };
    let (domain, rest) = dotted(rest.strip_prefix('@')?)?;
    Some((format!("{local}@{domain}"), rest))
}

/// The words before an angle address.
fn phrase(text: &str) -> Result<(String, &str), String> {
    let (mut words, mut rest) = (Vec::new(), text);
    loop {
        rest = rest.trim_start();
        if let Some((word, after)) = quoted(rest) {
            words.push(word);
            rest = after;
        } else {
            let end = rest.find(|letter| letter != '.' && !is_atom(letter)).unwrap_or(rest.len());
            if end == 0 {
                break;
            }
            words.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
    }
    if words.is_empty() {
        return Err("mail: missing word in phrase: mail: invalid string".to_owned());
    }
    Ok((words.join(" "), rest))
}

/// The `email` rule of protoc-gen-validate: `None` where it holds, else the cause.
pub(super) fn address_fault(text: &str) -> Option<String> {
    let address = match mailbox(text) {
        Ok(found) => found.address,
        Err(cause) => return Some(cause),
    };
    if address.len() > 254 {
        return Some("email addresses cannot exceed 254 characters".to_owned());
    }
    let (local, host) = address.split_once('@').unwrap_or((&address, ""));
    if local.len() > 64 {
        return Some("email address local phrase cannot exceed 64 characters".to_owned());
    }
    host_fault(host)
}

fn host_fault(host: &str) -> Option<String> {
    if host.len() > 253 {
        return Some("hostname cannot exceed 253 characters".to_owned());
    }
    for part in host.strip_suffix('.').unwrap_or(host).to_lowercase().split('.') {
        if part.is_empty() || part.len() > 63 {
            return Some("hostname part must be non-empty and cannot exceed 63 characters".to_owned());
        }
        if part.starts_with('-') {
            return Some("hostname parts cannot begin with hyphens".to_owned());
        }
        if part.ends_with('-') {
            return Some("hostname parts cannot end with hyphens".to_owned());
        }
        let strange = |letter: &char| !letter.is_ascii_lowercase() && !letter.is_ascii_digit() && *letter != '-';
        if let Some(strange) = part.chars().find(strange) {
            let shown = strange.to_string();
            return Some(format!("hostname parts can only contain alphanumeric characters or hyphens, got {shown:?}"));
        }
    }
    None
}

/// A telephone number in E.164 with Switzerland as home; `None` where it is none.
pub(super) fn e164(text: &str) -> Option<String> {
    let text = text.trim();
    let separators = [' ', '-', '(', ')', '.', '/', '\u{a0}'];
    let (international, digits) = match text.strip_prefix('+') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let digits: String = digits.chars().filter(|letter| !separators.contains(letter)).collect();
    if !digits.chars().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (international, digits) = match digits.strip_prefix("00") {
        Some(rest) if !international => (true, rest.to_owned()),
        _ => (international, digits),
    };
    let whole = if international { digits } else { format!("41{}", digits.strip_prefix('0').unwrap_or(&digits)) };
    let possible = (4..=17).contains(&whole.len()) && !whole.starts_with('0');
    possible.then(|| format!("+{whole}"))
}

/// The languages with two letters; anything else of that length is unknown and becomes `und`.
const LANGUAGES: &str = "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee \
el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj \
kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om \
or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw \
ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu";

/// `language.Make`: the tag in its canonical spelling, never an error (`zitadel.md` 5, semantic 10).
pub(super) fn language(text: &str) -> String {
    const UNKNOWN: &str = "und";
    let mut parts = text.split(['-', '_']);
    let base = parts.next().unwrap_or_default().to_ascii_lowercase();
    let known = match base.len() {
        2 => LANGUAGES.split(' ').any(|language| language == base),
        3 => base.bytes().all(|letter| letter.is_ascii_lowercase()),
        _ => false,
    };
    if !known {
        return UNKNOWN.to_owned();
    }
    let mut tag = base;
    for part in parts {
        let letters = part.bytes().all(|letter| letter.is_ascii_alphabetic());
        let digits = part.bytes().all(|letter| letter.is_ascii_digit());
        let proper = match part.len() {
            2 if letters => part.to_ascii_uppercase(),
            3 if digits => part.to_owned(),
            4 if letters => format!("{}{}", part[..1].to_ascii_uppercase(), part[1..].to_ascii_lowercase()),
            4..=8
                if (part.len() > 4 || part.as_bytes()[0].is_ascii_digit())
                    && part.bytes().all(|letter| letter.is_ascii_alphanumeric()) =>
            {
                // A variant; one of four characters begins with a digit.
                part.to_ascii_lowercase()
            }
            _ => return UNKNOWN.to_owned(),
        };
        tag.push('-');
        tag.push_str(&proper);
    }
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_the_go_library_reads_it() {
        let cases = [
            ("jane@example.org", Ok((false, "jane@example.org"))),
            ("Jane <jane@example.org>", Ok((true, "jane@example.org"))),
            ("<jane@example.org>", Ok((false, "jane@example.org"))),
            ("\"Doe, Jane\" <jane@example.org>", Ok((true, "jane@example.org"))),
            ("jürg@example.org", Ok((false, "jürg@example.org"))),
            ("", Err("mail: no address")),
            ("jane", Err("mail: missing '@' or angle-addr")),
            ("jane@", Err("mail: missing '@' or angle-addr")),
            ("jane@a..b", Err("mail: missing '@' or angle-addr")),
            ("jane doe", Err("mail: no angle-addr")),
            ("@example.org", Err("mail: missing word in phrase: mail: invalid string")),
            ("jane@example.org joe", Err("mail: expected single address, got \"joe\"")),
        ];
        for (text, wanted) in cases {
            let found = mailbox(text).map(|mailbox| (mailbox.named, mailbox.address));
            let wanted =
                wanted.map(|(named, address): (bool, &str)| (named, address.to_owned())).map_err(str::to_owned);
            assert_eq!(found, wanted, "{text}");
        }
    }

    #[test]
    fn a_host_holds_letters_digits_and_hyphens_inside() {
        let wrong = "hostname parts can only contain alphanumeric characters or hyphens, got \"ü\"";
        let cases = [
            ("a@example.org", None),
            ("a@xn--mller-kva.example", None),
            ("a@müller.example", Some(wrong)),
            ("a@-x.example", Some("hostname parts cannot begin with hyphens")),
            ("a@x-.example", Some("hostname parts cannot end with hyphens")),
        ];
        for (text, wanted) in cases {
            assert_eq!(address_fault(text).as_deref(), wanted, "{text}");
        }
        let long = format!("{}@example.org", "a".repeat(65));
        assert_eq!(address_fault(&long).as_deref(), Some("email address local phrase cannot exceed 64 characters"));
    }

    #[test]
    fn a_number_without_country_is_swiss() {
        let cases = [
            ("079 123 45 67", Some("+41791234567")),
            ("+41 (79) 123-45-67", Some("+41791234567")),
            ("0049 30 123456", Some("+4930123456")),
            ("+1 650 253 0000", Some("+16502530000")),
            ("call me", None),
            ("+0123456", None),
            ("1", None),
            ("", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(e164(text).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn a_language_is_put_into_its_canonical_spelling_or_unknown() {
        let cases = [
            ("de", "de"),
            ("de_DE", "de-DE"),
            ("EN-us", "en-US"),
            ("zh_hans_cn", "zh-Hans-CN"),
            ("es-419", "es-419"),
            ("de-1996", "de-1996"),
            ("xx", "und"),
            ("", "und"),
            ("no way", "und"),
        ];
        for (text, wanted) in cases {
            assert_eq!(language(text), wanted, "{text}");
        }
    }
}
