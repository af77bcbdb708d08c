//! Which proxy stands on the way to a system: the one that is configured, or the one that the environment names.
//!
//! The words of the environment are those that curl reads. Its addresses may hold a password; it becomes a [`Secret`]
//! here, before anybody could print it.

use url::Url;

use super::{
    error::{ConfigError, Fault},
    secret::SecretSource,
};
use crate::model::secret::Secret;

/// Where it is said which proxy to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProxySource {
    /// In the environment, if anywhere.
    Environment,
    /// Nowhere: there is none, whatever the environment says.
    Direct,
    /// In the file.
    At {
        url: Url,
        /// A login, and where its password is found.
        login: Option<(String, SecretSource)>,
    },
}

/// What the environment says of a proxy.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) url: Url,
    pub(crate) login: Option<(String, Secret)>,
    /// The hosts it is not for, as `NO_PROXY` lists them.
    pub(crate) except: String,
}

/// The proxy that the environment names for addresses of this scheme.
///
/// # Errors
/// Where it names one that cannot be used. It is never left out silently: then everything would go another way than
/// somebody wanted.
pub(crate) fn named(scheme: &str) -> Result<Option<Named>, ConfigError> {
    let own = if scheme == "http" { ["http_proxy", "HTTP_PROXY"] } else { ["https_proxy", "HTTPS_PROXY"] };
    let words = own.into_iter().chain(["all_proxy", "ALL_PROXY"]);
    let mut given = words.filter_map(|word| Some((word, variable(word)?)));
    let Some((name, text)) = given.next() else { return Ok(None) };
    let except = ["no_proxy", "NO_PROXY"].into_iter().find_map(variable).unwrap_or_default();
    let (url, login) = split(&text).ok_or_else(|| ConfigError::new(None, Fault::VariableNoProxy { variable: name }))?;
    Ok(Some(Named { url, login, except }))
}

#[expect(clippy::disallowed_methods, reason = "this room reads the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.trim().is_empty())
}

/// An address, and the login that stands in it.
fn split(text: &str) -> Option<(Url, Option<(String, Secret)>)> {
    let text = text.trim();
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let mut url = Url::parse(&whole).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let login = (!url.username().is_empty() || url.password().is_some())
        .then(|| (unescaped(url.username()), Secret::from(unescaped(url.password().unwrap_or_default()))));
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    url.set_path("");
    url.set_query(None);
    url.set_fragment(None);
    Some((url, login))
}

/// What stands in an address with its `%40` and their like.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        if let Some(byte) = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            bytes.extend(&part.as_bytes()[2..]);
        } else {
            bytes.push(b'%');
            bytes.extend(part.as_bytes());
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_the_environment_gives_its_password_to_nobody() {
        let (url, login) = split("http://jane:s3cr%40t+%26%3D@proxy.example.com:3128/").unwrap();
        assert_eq!(url.as_str(), "http://proxy.example.com:3128/");
        let (user, password) = login.unwrap();
        assert_eq!((user.as_str(), password.expose()), ("jane", "s3cr@t+&="));
        let (url, login) = split("proxy.example.com:3128").unwrap();
        assert_eq!((url.as_str(), login.is_none()), ("http://proxy.example.com:3128/", true));
        assert!(split("socks5://proxy.example.com").is_none());
        assert!(split("http://").is_none());
    }
}
