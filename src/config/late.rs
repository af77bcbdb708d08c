//! Faults that are found after the file was read: by a kind in its own settings, by a secret that is not there.

use super::{
    Config,
    error::{ConfigError, ConfigErrors, Fault},
};
use crate::model::id::SystemName;

impl Config {
    /// One fault of one system, pointing at the key where it is known, else at the system's name.
    pub(crate) fn fault(
        &self,
        system: &SystemName,
        key: Option<&str>,
        message: String,
        hint: Option<String>,
    ) -> ConfigErrors {
        let span = self.place(system, key.unwrap_or_default());
        self.because(ConfigError::new(span, Fault::OfKind { message, hint }))
    }

    /// The bytes of a file that a key of a system names.
    pub(crate) fn file(&self, system: &SystemName, key: &str, file: &std::path::Path) -> Result<Vec<u8>, ConfigErrors> {
        std::fs::read(file).map_err(|cause| {
            let fault = Fault::FileUnreadable { file: file.to_owned(), cause };
            self.because(ConfigError::new(self.place(system, key), fault))
        })
    }

    /// An attribute under `[limits]` that nobody knows.
    pub(crate) fn unknown_limit(&self, attribute: &str, suggestion: Option<String>) -> ConfigErrors {
        let way = ["limits", "attributes", attribute].map(str::to_owned);
        let key = attribute.to_owned();
        self.because(ConfigError::new(self.places.key(&way), Fault::UnknownAttribute { key, suggestion }))
    }

    /// An attribute that people cannot be grouped by, for nobody knows it.
    pub(crate) fn unknown_group(&self, attribute: &str, suggestion: Option<String>) -> ConfigErrors {
        let way = ["limits", "groups", "attribute"].map(str::to_owned);
        let hint = suggestion.map(|suggestion| format!("did you mean `{suggestion}`?"));
        let message = format!("unknown attribute `{attribute}` in [limits.groups]");
        self.because(ConfigError::new(self.places.value(&way), Fault::OfKind { message, hint }))
    }

    /// One fault, with this file around it.
    pub(crate) fn because(&self, error: ConfigError) -> ConfigErrors {
        ConfigErrors { file: self.file.clone(), text: self.text.clone(), errors: vec![error] }
    }
}

/// The width that the environment says a terminal has.
#[expect(clippy::disallowed_methods, reason = "this room reads the environment")]
pub(crate) fn columns() -> Option<usize> {
    std::env::var("COLUMNS").ok()?.parse().ok()
}

/// Who is at work: as the environment says, else as the system knows the account.
#[expect(clippy::disallowed_methods, reason = "this room reads the environment")]
pub(crate) fn user() -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let named = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    named.filter(|name| !name.is_empty()).or_else(|| {
        let id = std::fs::metadata("/proc/self").ok()?.uid().to_string();
        let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let mut accounts = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let name = accounts.find(|fields| fields.get(2) == Some(&id.as_str())).map(|fields| fields[0].to_owned());
        Some(name.unwrap_or(format!("uid {id}")))
    })
}
