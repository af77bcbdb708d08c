//! The texts GitLab translates into the language of the token's owner (`gitlab.md` 1.1).
//!
//! One other language is enough to prove that nobody may branch on a text.

/// A language this lab speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    German,
}

impl Language {
    /// By `preferred_language`; what the lab does not speak is English.
    pub(super) fn of(code: &str) -> Self {
        if code == "de" || code.starts_with("de_") || code.starts_with("de-") { Self::German } else { Self::English }
    }

    /// A text in this language; what is not translated stays as it is.
    pub(super) fn say(self, english: &str) -> String {
        let translated = match self {
            Self::English => None,
            Self::German => GERMAN.iter().find(|(from, _)| *from == english).map(|(_, to)| *to),
        };
        translated.unwrap_or(english).to_owned()
    }
}

pub(super) const BAD_USERNAME: &str =
    "can contain only letters, digits, '_', '-' and '.'. Cannot start with '-' or end in '.', '.git' or '.atom'.";
pub(super) const REGISTRY_TAGS: &str = "cannot be changed if a personal project has container registry tags.";
pub(super) const RESERVED_NAME: &str = "is a reserved name";
pub(super) const FILE_NAME: &str = "ending with a reserved file extension is not allowed.";
pub(super) const NAMESPACE_TAKEN: &str = "A user, alias, or group already exists with that username.";
pub(super) const TAKEN: &str = "has already been taken";
pub(super) const BLANK: &str = "can't be blank";
pub(super) const INVALID: &str = "is invalid";
pub(super) const TOO_LONG: &str = "is too long (maximum is 255 characters)";
pub(super) const TOO_SHORT: &str = "is too short (minimum is 2 characters)";
pub(super) const NOT_VERIFIED: &str = "must be an email you have verified";
pub(super) const PASSWORD_SHORT: &str = "is too short (minimum is 8 characters)";
pub(super) const PASSWORD_LONG: &str = "is too long (maximum is 128 characters)";
pub(super) const PASSWORD_WEAK: &str = "must not contain commonly used combinations of words and letters";
pub(super) const DOMAIN_NOT_ALLOWED: &str = "domain is not authorized for sign-up.";
pub(super) const DOMAIN_DENIED: &str = "is not from an allowed domain.";
pub(super) const NOT_A_NUMBER: &str = "is not a number";
pub(super) const NEGATIVE: &str = "must be greater than or equal to 0";
pub(super) const NOT_IN_LIST: &str = "is not included in the list";
pub(super) const INTERNAL_BLOCK: &str = "An internal user cannot be blocked";
pub(super) const INTERNAL_DEACTIVATE: &str = "Internal users cannot be deactivated";
pub(super) const BLOCKED_DEACTIVATE: &str = "Error occurred. A blocked user cannot be deactivated";
pub(super) const BLOCKED_ACTIVATE: &str = "Error occurred. A blocked user must be unblocked to be activated";

const GERMAN: &[(&str, &str)] = &[
    (
        BAD_USERNAME,
        "darf nur Buchstaben, Ziffern, '_', '-' und '.' enthalten. Darf nicht mit '-' anfangen oder auf '.', '.git' \
         oder '.atom' enden.",
    ),
    (REGISTRY_TAGS, "lässt sich nicht ändern, solange ein persönliches Projekt Container-Registry-Tags hat."),
    (RESERVED_NAME, "ist ein reservierter Name"),
    (FILE_NAME, "darf nicht auf eine reservierte Dateiendung enden."),
    (NAMESPACE_TAKEN, "Diesen Namen trägt schon ein Benutzer, ein Alias oder eine Gruppe."),
    (TAKEN, "ist bereits vergeben"),
    (BLANK, "muss ausgefüllt werden"),
    (INVALID, "ist nicht gültig"),
    (TOO_LONG, "ist zu lang (mehr als 255 Zeichen)"),
    (TOO_SHORT, "ist zu kurz (weniger als 2 Zeichen)"),
    (NOT_VERIFIED, "muss eine von dir bestätigte E-Mail-Adresse sein"),
    (PASSWORD_SHORT, "ist zu kurz (weniger als 8 Zeichen)"),
    (PASSWORD_LONG, "ist zu lang (mehr als 128 Zeichen)"),
    (PASSWORD_WEAK, "darf keine verbreiteten Wort- und Buchstabenfolgen enthalten"),
    (DOMAIN_NOT_ALLOWED, "gehört zu keiner Domain, die sich anmelden darf."),
    (DOMAIN_DENIED, "stammt aus einer gesperrten Domain."),
    (NOT_A_NUMBER, "ist keine Zahl"),
    (NEGATIVE, "muss größer oder gleich 0 sein"),
    (NOT_IN_LIST, "ist kein gültiger Wert"),
    (INTERNAL_BLOCK, "Ein interner Benutzer lässt sich nicht sperren"),
    (INTERNAL_DEACTIVATE, "Interne Benutzer lassen sich nicht deaktivieren"),
    (BLOCKED_DEACTIVATE, "Fehler. Ein gesperrter Benutzer lässt sich nicht deaktivieren"),
    (BLOCKED_ACTIVATE, "Fehler. Ein gesperrter Benutzer muss vor dem Aktivieren entsperrt werden"),
];
