//! The way to a server: who may vouch for it, who we are on the way, and which proxy stands on it.
//!
//! There is no switch that leaves a certificate unchecked. Whoever cannot be vouched for publicly brings the authority
//! that can, and then that one alone counts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::{Certificate, ClientBuilder, Identity, NoProxy, header::HeaderValue};
use url::{Host, Url};

use super::{address::is_loopback, credential::pair, fault::innermost};
use crate::model::secret::Secret;

/// How the way to one server is gone. Without anything set, as this machine goes it, and through no proxy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Route {
    authorities: Vec<Certificate>,
    identity: Option<Identity>,
    proxy: Option<Proxy>,
}

/// A proxy on the way.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    pub(crate) url: Url,
    /// What it wants to know of us.
    pub(crate) login: Option<(String, Secret)>,
    /// The hosts it is not for, as `NO_PROXY` lists them.
    pub(crate) except: String,
    /// True where it was named for this system, and not for the machine.
    pub(crate) is_own: bool,
}

/// Why a file of certificates is of no use.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadCertificate {
    /// No `-----BEGIN …-----` in it.
    #[error("is no PEM file")]
    NoPem,
    /// PEM, and something else than certificates.
    #[error("holds no certificate")]
    Empty,
    /// One that cannot be read.
    #[error("holds a certificate that cannot be read")]
    Unreadable,
    /// Certificates, and not their key.
    #[error("holds no private key beside its certificate")]
    NoKey,
}

impl Route {
    /// Only these authorities, in PEM, may vouch for the server.
    ///
    /// # Errors
    /// Where there is none in it, or one that cannot be read.
    pub(crate) fn vouched_by(mut self, pem: &[u8]) -> Result<Self, BadCertificate> {
        has(pem, "CERTIFICATE-----")?;
        let certificates = Certificate::from_pem_bundle(pem).map_err(|_| BadCertificate::Unreadable)?;
        // What a certificate holds is looked at only where one is used.
        let tried = reqwest::Client::builder().no_proxy().tls_certs_only(certificates.clone()).build();
        tried.map_err(|_| BadCertificate::Unreadable)?;
        self.authorities = certificates;
        Ok(self)
    }

    /// Shows this certificate, in PEM with its key, to a server that asks for one.
    ///
    /// # Errors
    /// Where there is none in it, no key to it, or one that cannot be read.
    pub(crate) fn known_by(mut self, pem: &Secret) -> Result<Self, BadCertificate> {
        let pem = pem.expose().as_bytes();
        has(pem, "CERTIFICATE-----")?;
        has(pem, "PRIVATE KEY-----").map_err(|_| BadCertificate::NoKey)?;
        let identity = Identity::from_pem(pem).map_err(|_| BadCertificate::Unreadable)?;
        let tried = reqwest::Client::builder().no_proxy().identity(identity.clone()).build();
        tried.map_err(|_| BadCertificate::Unreadable)?;
        self.identity = Some(identity);
        Ok(self)
    }

    /// Goes through this proxy.
    pub(crate) fn through(self, proxy: Proxy) -> Self {
        Self { proxy: Some(proxy), ..self }
    }

    /// The password of the proxy, which no answer may bring back.
    pub(super) fn password(&self) -> Option<&Secret> {
        self.proxy.as_ref()?.login.as_ref().map(|(_, password)| password)
    }

    /// A client that goes this way to this server.
    pub(super) fn apply(&self, client: ClientBuilder, url: &Url) -> Result<ClientBuilder, String> {
        // The environment was read already, where everything of it is read.
        let mut client = client.no_proxy();
        // A proxy of the environment is for the world outside: nobody else must see what stays on this machine.
        let proxy = self.proxy.as_ref().filter(|proxy| proxy.is_own || !is_loopback(url));
        // To read and decode everybody's authorities takes longer than many a call. Where nothing is encrypted, nobody asks.
        let is_plain = url.scheme() == "http" && proxy.is_none();
        if !self.authorities.is_empty() || is_plain {
            client = client.tls_certs_only(self.authorities.clone());
        }
        if let Some(identity) = &self.identity {
            client = client.identity(identity.clone());
        }
        if let Some(Host::Domain(name)) = url.host()
            && is_loopback(url)
        {
            // No name server shall say where this machine is.
            let here = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            client = client.resolve_to_addrs(name, &here.map(|address| SocketAddr::new(address, 0)));
        }
        let Some(proxy) = proxy else { return Ok(client) };
        let of_ours = reqwest::Proxy::all(proxy.url.clone());
        let mut there = of_ours.map_err(|error| format!("its proxy cannot be used: {}", innermost(&error)))?;
        if let Some((user, password)) = &proxy.login {
            // Not as a login of the address, where `%7e` would become something else.
            let value = HeaderValue::from_str(&format!("Basic {}", pair(user, password).expose()));
            let mut value = value.map_err(|_| "the login of its proxy cannot be sent".to_owned())?;
            value.set_sensitive(true);
            there = there.custom_http_auth(value);
        }
        Ok(client.proxy(there.no_proxy(NoProxy::from_string(&proxy.except))))
    }
}

fn has(pem: &[u8], kind: &str) -> Result<(), BadCertificate> {
    let text = String::from_utf8_lossy(pem);
    if !text.contains("-----BEGIN ") {
        return Err(BadCertificate::NoPem);
    }
    if text.contains(kind) { Ok(()) } else { Err(BadCertificate::Empty) }
}
