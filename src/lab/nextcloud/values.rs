//! Which values the server takes, and what it makes of them (`nextcloud.md` 4, "Value rules").

use super::settings::{Settings, Version};

/// The longest text of a profile, in bytes.
pub(super) const LONGEST_TEXT: usize = 2048;

/// The longest name in the database, in characters.
pub(super) const LONGEST_NAME: usize = 64;

/// Countries by their code, and how their numbers begin abroad.
const COUNTRIES: &[(&str, &str)] = &[("CH", "41"), ("DE", "49"), ("AT", "43"), ("FR", "33"), ("GB", "44")];

/// An address as it is stored; `None` for one that is none.
pub(super) fn email(text: &str, version: Version) -> Option<String> {
    let text = if version == Version::Master { text.trim() } else { text };
    let (local, domain) = text.rsplit_once('@')?;
    let is_local = local.split('.').all(|part| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c))
    });
    let labels: Vec<&str> = domain.split('.').collect();
    let is_domain = labels.len() > 1
        && labels.iter().all(|label| {
            let inner = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            inner && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
        })
        && labels.last().is_some_and(|last| last.chars().any(|c| !c.is_ascii_digit()));
    let fits = local.len() <= 64 && text.len() <= 254;
    (is_local && is_domain && fits).then(|| text.to_lowercase())
}

/// A number in the form it is stored in.
pub(super) fn phone(text: &str, settings: &Settings) -> Option<String> {
    let plain: String = text.chars().filter(|c| !" -./()".contains(*c)).collect();
    let region = COUNTRIES.iter().find(|(code, _)| *code == settings.default_phone_region);
    let number = match (plain.strip_prefix('+'), region) {
        // A zero in brackets is not dialled from abroad.
        (Some(_), _) if text.contains("(0)") => {
            let plain: String = text.replace("(0)", "").chars().filter(char::is_ascii_digit).collect();
            plain
        }
        (Some(number), _) => number.to_owned(),
        (None, Some((_, country))) => match plain.strip_prefix("00") {
            Some(abroad) => abroad.to_owned(),
            None => format!("{country}{}", plain.strip_prefix('0').unwrap_or(&plain)),
        },
        (None, None) => return None,
    };
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
    (is_number && (7..=15).contains(&number.len())).then(|| format!("+{number}"))
}

pub(super) fn is_website(text: &str) -> bool {
    let url = url::Url::parse(text).ok();
    url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        && !text.contains(char::is_whitespace)
}

/// A quota as it is stored, such as `5 GB`; what is wrong with it where it is not taken.
pub(super) fn quota(text: &str, settings: &Settings) -> Result<String, String> {
    let invalid = || format!("Invalid quota value: {text}");
    match text {
        "none" if !settings.allow_unlimited_quota => Err("Unlimited quota is forbidden on this instance".to_owned()),
        "none" | "default" => Ok(text.to_owned()),
        _ => {
            let bytes = bytes(text).ok_or_else(invalid)?;
            match self::bytes(&settings.max_quota) {
                Some(most) if bytes > most => Err(format!("{invalid}: over the limit", invalid = invalid())),
                _ => Ok(human(bytes)),
            }
        }
    }
}

/// A size in bytes; `None` for what is no size.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_lowercase();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let shift = match unit.trim() {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        "t" | "tb" => 40,
        "p" | "pb" => 50,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    Some(rounded(number * f64::from(2_u32).powi(shift)))
}

/// A size as it is written for people: whole kilobytes, then one digit behind the point.
fn human(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // In tenths of a unit.
    let mut tenths = rounded(number(bytes) / 1024.0) * 10;
    for unit in ["KB", "MB", "GB", "TB", "PB"] {
        if tenths < 10_240 || unit == "PB" {
            let (whole, tenth) = (tenths / 10, tenths % 10);
            return if tenth == 0 { format!("{whole} {unit}") } else { format!("{whole}.{tenth} {unit}") };
        }
        tenths = rounded(number(tenths) / 1024.0);
    }
    String::new()
}

#[expect(clippy::cast_precision_loss, reason = "sizes of disks are far from where this matters")]
fn number(whole: u64) -> f64 {
    whole as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size is positive, and a cast saturates")]
fn rounded(number: f64) -> u64 {
    number.round() as u64
}

/// True for what a new account can be called.
pub(super) fn is_user_id(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || " _.@-'".contains(c);
    !text.is_empty()
        && text.len() <= 64
        && text.chars().all(is_letter)
        && text.trim() == text
        && text != "."
        && text != ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_kept_as_people_write_them() {
        let kept = |text: &str| quota(text, &Settings::default()).ok();
        for (given, expected) in [
            ("5368709120", "5 GB"),
            ("5GB", "5 GB"),
            ("1536 MB", "1.5 GB"),
            ("5.55 GB", "5.6 GB"),
            ("512", "512 B"),
            ("1500", "1 KB"),
            ("2 PB", "2 PB"),
            ("none", "none"),
            ("default", "default"),
        ] {
            assert_eq!(kept(given).as_deref(), Some(expected), "{given}");
        }
        for bad in ["", "much", "-3", "5 XB", "None"] {
            assert_eq!(kept(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_need_their_country_unless_there_is_one_for_all() {
        let at_home = Settings { default_phone_region: "CH".to_owned(), ..Settings::default() };
        let abroad = Settings::default();
        let e164 = Some("+41791234567".to_owned());
        for text in ["+41 79 123 45 67", "+41 (0)79 123-45-67"] {
            assert_eq!(phone(text, &abroad), e164);
        }
        for text in ["079 123 45 67", "0041791234567"] {
            assert_eq!((phone(text, &abroad), phone(text, &at_home)), (None, e164.clone()), "{text}");
        }
        assert_eq!(phone("+41 call me", &at_home), None);
    }

    #[test]
    fn addresses_are_stored_in_lower_case_and_trimmed_only_lately() {
        assert_eq!(email("Anna@Example.ORG", Version::V27).as_deref(), Some("anna@example.org"));
        assert_eq!(email(" a@b.ch ", Version::V30), None);
        assert_eq!(email(" a@b.ch ", Version::Master).as_deref(), Some("a@b.ch"));
        for bad in ["anna", "anna@example", "a..b@b.ch", "ü@b.ch", "a@1.2.3.4", "a@-b.ch", "a@b@c.ch"] {
            assert_eq!(email(bad, Version::V30), None, "{bad}");
        }
    }
}
