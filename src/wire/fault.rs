//! Why there is no answer that could be read, and whether what was sent may have had its effect all the same.

use super::bounds::MAX_BODY;
use crate::model::id::SystemName;

/// Why there is no answer that could be read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Nobody listens there, or the name is unknown: nothing was sent.
    #[error("{system} at {host} cannot be reached: {cause}")]
    Unreachable {
        /// Which system.
        system: SystemName,
        /// Host and port, without path or user.
        host: String,
        /// In the words of the network.
        cause: String,
        /// True where the same would happen again: a certificate that nobody vouches for does not get better by itself.
        lasting: bool,
    },
    /// It took too long; what was sent may have had its effect.
    #[error("{system} at {host} did not answer within {seconds} s")]
    Timeout {
        /// Which system.
        system: SystemName,
        /// Host and port.
        host: String,
        /// The limit that passed.
        seconds: u64,
    },
    /// The answer began and came to no end in time; what was sent may have had its effect.
    #[error("{system} at {host} was still sending its answer after {seconds} s")]
    TooSlow {
        /// Which system.
        system: SystemName,
        /// Host and port.
        host: String,
        /// The limit that passed.
        seconds: u64,
    },
    /// The connection broke; what was sent may have had its effect.
    #[error("the connection to {system} at {host} broke: {cause}")]
    Broken {
        /// Which system.
        system: SystemName,
        /// Host and port.
        host: String,
        /// In the words of the network.
        cause: String,
    },
    /// The answer is larger than any honest one.
    #[error("{system} at {host} sent more than an honest answer holds (over {} MiB)", MAX_BODY >> 20)]
    TooLarge {
        /// Which system.
        system: SystemName,
        /// Host and port.
        host: String,
    },
    /// There is no token that a request can carry: the key could not be turned into one, or it is none.
    #[error("there is no token for {system}: {cause}")]
    NoToken {
        /// Which system.
        system: SystemName,
        /// Why.
        cause: String,
        /// True where the server did not get as far as judging the key.
        passing: bool,
    },
    /// The way there cannot be gone as it was configured: a certificate or a proxy cannot be used.
    #[error("{system} cannot be reached as configured: {cause}")]
    Unroutable {
        /// Which system.
        system: SystemName,
        /// What is wrong with it; holds no secret.
        cause: String,
    },
    /// The request cannot be written as one that stays where it belongs, so nothing was sent.
    #[error("nothing was sent to {system}: {cause}")]
    Unsendable {
        /// Which system.
        system: SystemName,
        /// What is wrong with it; holds no values.
        cause: &'static str,
    },
    /// The system is left alone, or there is no time left, so nothing was sent.
    #[error("{reason}")]
    NotAsked {
        /// Which system.
        system: SystemName,
        /// Why, in a sentence that names the system.
        reason: String,
    },
    /// The journal could not be written, so nothing was sent.
    #[error("nothing more is sent to {system}: the journal could not be written")]
    NotRecorded {
        /// Which system.
        system: SystemName,
        /// Why.
        cause: String,
    },
}

impl WireError {
    /// True where the request certainly never reached the server.
    #[must_use]
    pub(crate) fn never_sent(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Unroutable { .. }
                | Self::NoToken { .. }
                | Self::Unsendable { .. }
                | Self::NotAsked { .. }
                | Self::NotRecorded { .. }
        )
    }
}

/// Why a connection failed, in words that do not depend on the machine we run on; and whether the same would happen again.
pub(super) fn network(error: &dyn std::error::Error) -> (String, bool) {
    let mut causes = vec![error.to_string()];
    let mut inner = error;
    while let Some(next) = inner.source() {
        causes.push(next.to_string());
        inner = next;
    }
    let any = |part: &str| causes.iter().any(|cause| cause.contains(part));
    let (said, lasting) = if any("dns error") || any("lookup address") {
        ("there is no host of this name", false)
    } else if any("Connection refused") {
        ("nobody listens there", false)
    } else if any("InvalidContentType") {
        ("it does not speak https there; perhaps this is an http port", true)
    } else if any("UnknownIssuer") {
        ("no authority known here vouches for its certificate", true)
    } else if any("NotValidForName") || any("certificate not valid for name") {
        ("its certificate is for another name", true)
    } else if any("certificate expired") || any("Expired") {
        ("its certificate has expired", true)
    } else if any("NotValidYet") || any("certificate not valid yet") {
        ("its certificate is not valid yet", true)
    } else if any("Revoked") {
        ("its certificate was revoked", true)
    } else if any("CertificateRequired") {
        ("it wants to see a certificate of ours: set `client_certificate`", true)
    } else if any("connection was not ready") {
        // By TLS 1.3 a server that misses a certificate says so when the client is done, and its word may be lost.
        (
            "it closed the connection before it took a request: if it wants a certificate of ours, set `client_certificate`",
            false,
        )
    } else if any("proxy authorization required") {
        ("the proxy wants a login: set `proxy = { url = …, username = …, password = … }`", true)
    } else if any("unsuccessful") && any("tunnel") {
        ("the proxy did not let us through", false)
    } else {
        return (innermost(error), false);
    };
    (said.to_owned(), lasting)
}

pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string()
}
