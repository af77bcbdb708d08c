//! What WordPress would do with a change, told before anything is sent (`wordpress.md` 3, 4 and 6).
//!
//! It knows what can be judged from the account, the server's facts and the value. What only the server can judge comes
//! as its answer: which languages are installed, what plugins forbid, and how much a column holds, which shows as a value
//! that did not change.

use crate::model::{
    account::Account,
    attribute::{AttributeName, Value},
    capability::{AttributeCapability, Change, Foresight, Support},
    refusal::RefusalKind,
};

use super::{interface::Interface, table::CAPABILITIES, text};

/// The fact of a server that says whether our account may change others.
pub(super) const EDITS: &str = "edits";

/// The longest `url`, in characters.
const LONGEST_URL: usize = 100;

/// Why a site without words in its addresses is not written to.
pub(super) const PLAIN: &str = "this site's addresses are plain (`?rest_route=…`), and calls carry no query; choose any other form of \
                     permalinks in WordPress's settings, and it can be changed";

/// Why an account is not made.
const NO_ACCOUNT: &str = "Homeward makes no WordPress accounts: a role has to be chosen, and a person does that there";

/// What would come of this change of this account.
pub(super) fn foresee(account: &Account, change: &Change) -> Foresight {
    match hindrance(account, change) {
        Some((kind, reason)) => Foresight::refuses(kind, reason),
        None => Foresight::takes(),
    }
}

/// What stands in the way of a change, as far as that can be known.
fn hindrance(account: &Account, change: &Change) -> Option<(RefusalKind, String)> {
    let unsupported = |reason: &str| Some((RefusalKind::Unsupported, reason.to_owned()));
    let row = match sayable(account, &change.attribute, &change.after) {
        Ok(row) => row,
        Err(reason) => return unsupported(&reason),
    };
    if Interface::of(account) == Interface::Plain {
        return unsupported(PLAIN);
    }
    if account.server.get(EDITS).and_then(Value::as_bool) == Some(false) {
        let reason = "our account there may read accounts and not change them: it needs the right `edit_users`";
        return Some((RefusalKind::Forbidden, reason.to_owned()));
    }
    judge(row, &change.after).err().map(|reason| (RefusalKind::Invalid, reason))
}

/// The row of an attribute that can be given this value; else why it cannot.
pub(super) fn sayable(
    account: &Account,
    attribute: &AttributeName,
    after: &Value,
) -> Result<&'static AttributeCapability, String> {
    let Some(row) = CAPABILITIES.of(&account.system, attribute) else {
        return Err(format!("WordPress has no attribute `{attribute}`"));
    };
    match (row.write, row.clear) {
        (Support::No(why), _) => Err(why.to_owned()),
        (_, Support::No(why)) if after.is_empty() => Err(why.to_owned()),
        _ if account.id.is_none() => Err(NO_ACCOUNT.to_owned()),
        _ => Ok(row),
    }
}

/// The rules that can be judged from here.
fn judge(row: &AttributeCapability, after: &Value) -> Result<(), String> {
    let text = match after {
        Value::Text(text) => text.as_ref(),
        Value::Empty => return Ok(()),
        Value::Bool(_) => return Err(format!("`{}` is a text, not true or false", row.name)),
    };
    match row.name {
        "email" if !is_address(text) => Err("`email` is no e-mail address that WordPress takes".to_owned()),
        "url" if !is_web_address(text) => {
            Err("`url` is no address that begins with `http://` or `https://` and can be kept as it is".to_owned())
        }
        "url" if text.chars().count() > LONGEST_URL => {
            Err(format!("WordPress keeps addresses of at most {LONGEST_URL} characters"))
        }
        "email" | "url" | "locale" => Ok(()),
        name => match text::harmed(text) {
            Some(why) => Err(format!("`{name}` would not be kept as it is: {why}")),
            None => Ok(()),
        },
    }
}

/// WordPress's own rule: letters of a small set, one `@`, and a domain of at least two parts.
fn is_address(text: &str) -> bool {
    const SHORTEST: usize = 6;
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_local = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c);
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    text.len() >= SHORTEST
        && !local.is_empty()
        && local.chars().all(is_local)
        && domain.contains('.')
        && domain.split('.').all(is_part)
}

fn is_web_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_kept = |c: char| !c.is_whitespace() && !c.is_control() && !"<>\"\\^`{}".contains(c);
    rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(is_kept)) && text::decoded(text) == text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{account::Facts, capability::Verdict};

    fn account(facts: &[(&str, Value)]) -> Account {
        let facts: Facts = facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Account { id: Some("5".into()), ..Account::absent("website".into(), Arc::new(facts)) }
    }

    fn seen(account: &Account, attribute: &str, after: impl Into<Value>) -> Option<RefusalKind> {
        let change = Change { attribute: attribute.into(), before: "before".into(), after: after.into() };
        match foresee(account, &change) {
            Foresight { verdict: Verdict::Takes, follows: None } => None,
            Foresight { verdict: Verdict::Refuses { kind, .. }, follows: None } => Some(kind),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn good_values_of_writable_attributes_are_taken() {
        for (attribute, after) in [
            ("email", "Anna.B+x@Example.org"),
            ("email", "o'neill@mail.example.org"),
            ("display_name", "Anna Müller & Söhne"),
            ("display_name", "a < b"),
            ("first_name", "Anna"),
            ("first_name", ""),
            ("last_name", ""),
            ("nickname", "anna"),
            ("locale", "de_DE"),
            ("locale", "de_CH_informal"),
            ("website.url", "https://example.org/ü?a=1&b=2"),
            ("website.url", ""),
        ] {
            assert_eq!(seen(&account(&[]), attribute, after), None, "{attribute} = {after}");
        }
    }

    #[test]
    fn a_login_is_kept_for_ever_and_accounts_have_no_switch() {
        for (attribute, after, words) in [
            ("username", Value::from("anna.b"), "a plugin for renaming"),
            ("username", "ANNA".into(), "even to other letter case"),
            ("active", false.into(), "no switch for accounts"),
        ] {
            let change = Change { attribute: attribute.into(), before: "anna".into(), after };
            let Verdict::Refuses { kind, reason } = foresee(&account(&[]), &change).verdict else {
                panic!("{attribute}")
            };
            assert_eq!(kind, RefusalKind::Unsupported);
            assert!(reason.contains(words), "{reason}");
        }
    }

    #[test]
    fn what_wordpress_does_not_know_or_never_has_empty_is_unsupported() {
        for (attribute, after) in [
            ("phone", "x"),
            ("department", "x"),
            ("website.roles", "editor"),
            ("gitlab.url", "https://x.example"),
            ("email", ""),
            ("display_name", ""),
            ("nickname", ""),
            ("locale", ""),
        ] {
            assert_eq!(seen(&account(&[]), attribute, after), Some(RefusalKind::Unsupported), "{attribute} = {after}");
        }
        let nobody = Account::absent("website".into(), Arc::default());
        assert_eq!(seen(&nobody, "first_name", "Anna"), Some(RefusalKind::Unsupported));
    }

    #[test]
    fn values_that_are_refused_or_would_be_harmed_are_invalid() {
        for (attribute, after) in [
            ("email", "anna"),
            ("email", "a@b.c"),
            ("email", "anna@example"),
            ("email", "anna@-example.org"),
            ("email", "anna@example..org"),
            ("email", "anna@example.org."),
            ("email", "a@b@example.org"),
            ("email", " anna@example.org"),
            ("email", "jürg@example.org"),
            ("email", "Anna <anna@example.org>"),
            ("display_name", "<b>Anna</b>"),
            ("first_name", "R&amp;D"),
            ("last_name", "a%20b"),
            ("nickname", "<i>x</i>"),
            ("website.url", "example.org"),
            ("website.url", "javascript:alert(1)"),
            ("website.url", "https://"),
            ("website.url", "https://example.org/a b"),
            ("website.url", "https://example.org/?a=1&amp;b=2"),
        ] {
            assert_eq!(seen(&account(&[]), attribute, after), Some(RefusalKind::Invalid), "{attribute} = {after}");
        }
        assert_eq!(seen(&account(&[]), "first_name", true), Some(RefusalKind::Invalid));
        let long = |more: usize| format!("https://example.org/{}", "a".repeat(80 + more));
        assert_eq!(seen(&account(&[]), "website.url", long(0).as_str()), None);
        assert_eq!(seen(&account(&[]), "website.url", long(1).as_str()), Some(RefusalKind::Invalid));
    }

    #[test]
    fn a_site_with_plain_addresses_and_one_where_we_only_read_take_nothing() {
        let plain = account(&[("interface", "plain".into())]);
        assert_eq!(seen(&plain, "first_name", "Anna"), Some(RefusalKind::Unsupported));
        let reading = account(&[(EDITS, false.into())]);
        assert_eq!(seen(&reading, "first_name", "Anna"), Some(RefusalKind::Forbidden));
        for fine in [account(&[(EDITS, true.into())]), account(&[("interface", "index".into())])] {
            assert_eq!(seen(&fine, "first_name", "Anna"), None);
        }
    }
}
