//! Names of things. All are strings on the wire and never interchangeable in the program.

use std::{cmp::Ordering, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

macro_rules! id_type {
    ($(#[$doc:meta])* $visible:vis $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        $visible struct $name(Arc<str>);

        /// The order of the texts. Copies of one name are mostly the same text in memory, which nobody has to read then.
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(Arc::from(text))
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(Arc::from(text))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

id_type!(
    /// What stands after `systems.` in the configuration, such as `gitlab`.
    pub SystemName
);
id_type!(
    /// The immutable key a provider gave to an account, such as GitLab's numeric user id.
    pub AccountId
);
id_type!(
    /// The place of a call in its plan: `c1`, `c2` and so on.
    pub(crate) CallId
);

impl SystemName {
    /// The text of the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AccountId {
    /// The text of the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names a person by the source that knew them first and that source's key; shown as `hr/1001`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PersonId {
    /// The source that anchors this person.
    pub(crate) system: SystemName,
    /// The key this source uses for them.
    pub(crate) key: Arc<str>,
}

impl PersonId {
    /// Reads what [`fmt::Display`] writes. `None` where there is no `/`.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (system, key) = Self::split(text)?;
        Some(Self { system: system.into(), key: key.into() })
    }

    /// The source and its key, of what [`Self::parse`] reads.
    #[must_use]
    pub(crate) fn split(text: &str) -> Option<(&str, &str)> {
        text.split_once('/')
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.system, self.key)
    }
}

impl Serialize for PersonId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A plan holds millions, and is written twice: as one text it is escaped at one go.
        serializer.serialize_str(&[self.system.as_str(), "/", &self.key].concat())
    }
}

impl<'de> Deserialize<'de> for PersonId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a person is written `system/key`"))
    }
}
