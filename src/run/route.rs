//! The way to each provider, as it is configured: reads the certificates and the proxy's password.

use crate::{
    config::{
        Config, Provider,
        error::ConfigErrors,
        proxy::{ProxySource, named},
    },
    model::id::SystemName,
    wire::{Proxy, Route},
};

/// How a system is reached.
///
/// # Errors
/// Where a file cannot be read or holds no certificate, a password is not there, or the environment names a proxy that
/// cannot be used.
pub(super) fn route(config: &Config, system: &SystemName, provider: &Provider) -> Result<Route, ConfigErrors> {
    let mut route = Route::default();
    if let Some(file) = &provider.ca {
        let pem = config.file(system, "ca", file)?;
        let bad = |cause| {
            let message = format!("{} {cause}", file.display());
            let hint = "save it as PEM: text that begins with `-----BEGIN CERTIFICATE-----`".to_owned();
            config.fault(system, Some("ca"), message, Some(hint))
        };
        route = route.vouched_by(&pem).map_err(bad)?;
    }
    if let Some(place) = &provider.client_certificate {
        let at = |key: &str| config.place(system, key);
        let pem = place.read().map_err(|error| config.because(error.at(at("client_certificate"))))?;
        let bad = |cause| {
            let message = format!("what `client_certificate` names {cause}");
            let hint = "one PEM text holds the certificate, those that stand between it and its authority, and its \
                        private key"
                .to_owned();
            config.fault(system, Some("client_certificate"), message, Some(hint))
        };
        route = route.known_by(&pem).map_err(bad)?;
    }
    let proxy = match &provider.proxy {
        ProxySource::Direct => None,
        ProxySource::At { url, login } => {
            let read = |(user, place): &(String, crate::config::secret::SecretSource)| {
                let password = place.read().map_err(|error| {
                    let place = config.place(system, "proxy.password");
                    config.because(error.at(place))
                })?;
                Ok::<_, ConfigErrors>((user.clone(), password))
            };
            let login = login.as_ref().map(read).transpose()?;
            Some(Proxy { url: url.clone(), login, except: String::new(), is_own: true })
        }
        ProxySource::Environment => {
            let named = named(provider.url.scheme()).map_err(|error| {
                let place = config.place(system, "url");
                config.because(error.at(place))
            })?;
            named.map(|it| Proxy { url: it.url, login: it.login, except: it.except, is_own: false })
        }
    };
    Ok(match proxy {
        Some(proxy) => route.through(proxy),
        None => route,
    })
}
