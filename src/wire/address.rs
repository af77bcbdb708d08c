//! Where a path leads, and which paths lead nowhere.

use url::Url;

/// True for a path that means more than its words: a step up or nowhere, a host, a query, something that a server
/// might read differently.
pub(crate) fn is_astray(path: &str) -> bool {
    let step = |segment: &str| matches!(segment.to_lowercase().replace("%2e", ".").as_str(), "" | "." | "..");
    let Some(rest) = path.strip_prefix('/') else { return true };
    let odd = |c: char| {
        !c.is_ascii_graphic() || matches!(c, '?' | '#' | '\\' | '"' | '<' | '>' | '`' | '{' | '}' | '|' | '^')
    };
    rest.split('/').any(step) || path.contains(odd)
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
