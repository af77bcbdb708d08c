//! Addresses of servers: what is refused before a token could be sent there.

use url::{Host, Url};

use super::error::Fault;

/// Reads the address of a server. `insecure_http` allows to send a token where everybody on the way can read it.
pub(super) fn parse(text: &str, insecure_http: bool) -> Result<Url, Fault> {
    let refuse = |why, hint| Err(Fault::Address { why, hint });
    let url = match Url::parse(text.trim()) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => return refuse("has no scheme", "write `https://` before it"),
        Err(_) => return refuse("cannot be read", "such as `https://git.example.com`"),
    };
    if !url.username().is_empty() || url.password().is_some() {
        let hint = "take them out; the token goes into `token = { env = \"…\" }`";
        return Err(Fault::AddressTells { hint });
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("holds a query or a fragment", "write it up to the path, such as `https://example.com/git`");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if insecure_http || is_loopback(&url) => Ok(url),
        "http" => refuse(
            "is not encrypted: everybody on the way could read the token",
            "use `https://`, or set `insecure_http = true` for this system if the way there is safe",
        ),
        // `git.example.com:8443` is read as a scheme of that name.
        _ if !text.contains("://") => refuse("has no scheme", "write `https://` before it"),
        _ => refuse("is not one of a web server", "it begins with `https://`"),
    }
}

/// Reads the address of a proxy. What goes through it is encrypted for the server, or was allowed not to be.
pub(super) fn parse_proxy(text: &str) -> Result<Url, Fault> {
    let refuse = |why, hint| Err(Fault::Address { why, hint });
    let hint = "such as `http://proxy.example.com:3128`";
    let Ok(url) = Url::parse(text.trim()) else { return refuse("cannot be read", hint) };
    if !url.username().is_empty() || url.password().is_some() {
        let hint = "write `proxy = { url = \"…\", username = \"…\", password = { env = \"…\" } }`";
        return Err(Fault::AddressTells { hint });
    }
    match url.scheme() {
        _ if !text.contains("://") => refuse("has no scheme", "write `http://` before it"),
        "http" | "https" if url.path().len() > 1 || url.query().is_some() || url.fragment().is_some() => {
            refuse("leads further than to a proxy", hint)
        }
        "http" | "https" => Ok(url),
        _ => refuse("is not one of a proxy that can be used", "it begins with `http://` or `https://`"),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_would_show_a_token_is_refused_unless_it_stays_on_this_machine() {
        for (text, insecure_http) in [
            ("https://git.example.com", false),
            ("https://example.com/git", false),
            ("http://localhost:8065", false),
            ("http://127.0.0.1:1", false),
            ("http://[::1]:1", false),
            ("http://git.internal", true),
        ] {
            assert!(parse(text, insecure_http).is_ok(), "{text}");
        }
        for (text, why) in [
            ("http://git.example.com", "this address is not encrypted: everybody on the way could read the token"),
            (
                "http://localhost.example.com",
                "this address is not encrypted: everybody on the way could read the token",
            ),
            ("git.example.com", "this address has no scheme"),
            ("git.example.com:8443", "this address has no scheme"),
            ("https://bot:secret@git.example.com", "this address holds a user or a password"),
            ("https://git.example.com?private_token=x", "this address holds a query or a fragment"),
            ("ftp://git.example.com", "this address is not one of a web server"),
            ("https://", "this address cannot be read"),
        ] {
            let fault = parse(text, false).unwrap_err();
            assert_eq!(fault.to_string(), why, "{text}");
        }
    }

    #[test]
    fn a_proxy_is_an_address_without_anything_secret_in_it() {
        for text in ["http://proxy.example.com:3128", "https://proxy.example.com/", "http://127.0.0.1:3128"] {
            assert!(parse_proxy(text).is_ok(), "{text}");
        }
        for (text, why) in [
            ("proxy.example.com:3128", "this address has no scheme"),
            ("", "this address cannot be read"),
            ("socks5://proxy.example.com", "this address is not one of a proxy that can be used"),
            ("http://user:secret@proxy.example.com", "this address holds a user or a password"),
            ("http://proxy.example.com/here", "this address leads further than to a proxy"),
        ] {
            assert_eq!(parse_proxy(text).unwrap_err().to_string(), why, "{text}");
        }
    }
}
