//! Where a secret is found. The secret itself is read when it is needed, and never stands in the file.

use std::path::PathBuf;

use super::error::{ConfigError, Fault};
use crate::model::secret::Secret;

/// The place of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file, of which one line end at the end does not count.
    File(PathBuf),
}

impl SecretSource {
    /// Reads the secret.
    ///
    /// # Errors
    /// Where there is none, or an empty one: the error names the variable or the file, and points nowhere yet.
    pub(crate) fn read(&self) -> Result<Secret, ConfigError> {
        self.text().map(Secret::from).map_err(|fault| ConfigError::new(None, fault))
    }

    fn text(&self) -> Result<String, Fault> {
        match self {
            Self::Env(variable) => {
                #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
                let text = std::env::var(variable);
                let variable = variable.clone();
                match text {
                    Ok(text) if text.trim().is_empty() => Err(Fault::VariableEmpty { variable }),
                    Ok(text) => Ok(without_line_end(&text).to_owned()),
                    Err(std::env::VarError::NotPresent) => Err(Fault::VariableUnset { variable }),
                    Err(std::env::VarError::NotUnicode(_)) => Err(Fault::VariableNotText { variable }),
                }
            }
            Self::File(file) => {
                let text = std::fs::read_to_string(file)
                    .map_err(|cause| Fault::SecretUnreadable { file: file.clone(), cause })?;
                let text = without_line_end(&text);
                if text.trim().is_empty() {
                    Err(Fault::SecretEmpty { file: file.clone() })
                } else {
                    Ok(text.to_owned())
                }
            }
        }
    }
}

/// No secret ends with one; most ways to store a text add it.
fn without_line_end(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(source: &SecretSource) -> (String, Option<String>) {
        let error = source.read().unwrap_err();
        (error.to_string(), error.hint())
    }

    #[test]
    fn a_secret_is_read_from_a_file_without_its_last_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        for (text, secret) in
            [("abc", "abc"), ("abc\n", "abc"), ("abc\r\n", "abc"), ("abc\n\n", "abc\n"), (" abc", " abc")]
        {
            std::fs::write(&file, text).unwrap();
            assert_eq!(SecretSource::File(file.clone()).read().unwrap().expose(), secret);
        }
    }

    #[test]
    fn a_secret_that_is_not_there_is_told_by_its_place() {
        let variable = "HOMEWARD_TEST_NOBODY_SETS_THIS";
        let (message, hint) = told(&SecretSource::Env(variable.to_owned()));
        assert_eq!(message, format!("the environment variable {variable} is not set"));
        assert_eq!(hint.unwrap(), format!("set it before the start: `export {variable}=…`"));

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        assert!(told(&SecretSource::File(file.clone())).0.starts_with("the secret in "));
        std::fs::write(&file, "\n").unwrap();
        assert_eq!(
            told(&SecretSource::File(file.clone())).0,
            format!("{} holds no secret: it is empty", file.display())
        );
    }

    #[test]
    fn only_the_last_line_end_is_no_part_of_a_secret() {
        let all = ["one\n", "one\r\n", "one", "o\nne\n\n", "one\r"].map(without_line_end);
        assert_eq!(all, ["one", "one", "one", "o\nne\n", "one\r"]);
    }

    #[test]
    fn a_secret_is_read_from_the_environment() {
        assert!(!SecretSource::Env("PATH".to_owned()).read().unwrap().expose().is_empty());
    }
}
