//! People's own tokens at one system: found where the configuration says, handed to whoever looks or acts for a person.
//!
//! A token is asked for by the names a person is known by and is only ever given out as hers. Who has none, or one that is
//! not accepted any more, is told as such: then a person has to sign in again, and nothing else stops.

mod command;
mod renewal;
mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

pub(crate) use self::{
    renewal::Renewer,
    source::{Place, Unfound},
};
use futures::{StreamExt, stream};

use crate::{
    config::kept::UnusableTokens,
    connector::Kind,
    model::{
        id::{PersonId, SystemName},
        own_token::{KeptToken, TokenKind},
        person::Link,
        refusal::{Refusal, RefusalKind},
    },
    wire::{OwnToken, Renewal},
};

/// So many tokens are renewed at once.
const SIDE_BY_SIDE: usize = 8;

/// Somebody whose token is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bearer {
    /// Whom calls are about.
    pub(crate) person: PersonId,
    /// What else she is known by, at the sources that know her under another key.
    pub(crate) also: BTreeSet<PersonId>,
}

impl Bearer {
    fn names(&self) -> impl Iterator<Item = &PersonId> {
        std::iter::once(&self.person).chain(&self.also)
    }
}

/// Everybody of `people`, with what ties say that each is known by.
pub(crate) fn bearers<'a>(
    people: impl IntoIterator<Item = &'a PersonId>,
    ties: impl IntoIterator<Item = &'a Link>,
) -> Vec<Bearer> {
    let mut bearers: BTreeMap<&PersonId, Bearer> =
        people.into_iter().map(|person| (person, Bearer { person: person.clone(), also: BTreeSet::new() })).collect();
    for link in ties {
        let name = PersonId { system: link.system.clone(), key: link.account.as_str().into() };
        if let Some(bearer) = bearers.get_mut(&link.person).filter(|bearer| bearer.person != name) {
            bearer.also.insert(name);
        }
    }
    bearers.into_values().collect()
}

/// Why nothing can be done with somebody's own token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// None is kept.
    None,
    /// It has ended, by the time that was kept with it or by what the system says.
    Ended,
    /// The system shows her nothing with it.
    Forbidden,
}

/// What is wrong with tokens of people at a kind that takes none, and what to do about it.
pub(crate) fn not_taken(kind: &Kind, kinds: &[Kind]) -> (String, String) {
    let takes_them =
        |kind: &&Kind| (kind.open)(serde_json::json!({})).is_ok_and(|connector| connector.has_own_tokens());
    let others: Vec<String> = kinds.iter().filter(takes_them).map(|kind| format!("`{}`", kind.name)).collect();
    let message = format!("a {} is not used with tokens of people", kind.name);
    let hint = format!(
        "give it one token that may do what is wanted: `token = {{ env = \"…\" }}`; tokens of people are for {}",
        others.join(", ")
    );
    (message, hint)
}

/// The tokens of one system.
pub(crate) struct Keyring {
    system: SystemName,
    /// The address where people sign in, as it is told.
    home: String,
    kind: TokenKind,
    place: Place,
    renewal: Option<Arc<Renewer>>,
    held: Mutex<BTreeMap<PersonId, Result<Arc<OwnToken>, Lack>>>,
}

impl Keyring {
    /// The tokens of a system that are found at this place.
    pub(crate) fn new(
        system: SystemName,
        home: String,
        kind: TokenKind,
        place: Place,
        renewal: Option<Arc<Renewer>>,
    ) -> Self {
        Self { system, home, kind, place, renewal, held: Mutex::new(BTreeMap::new()) }
    }

    /// Finds the tokens of these people. With `anew`, what was found before is forgotten first.
    ///
    /// # Errors
    /// Where the place of all tokens cannot be used; whoever has none there is no error.
    pub(crate) async fn find(&self, bearers: &[Bearer], anew: bool) -> Result<(), Unfound> {
        if anew {
            self.held().clear();
        }
        let wanted: Vec<Bearer> = {
            let held = self.held();
            bearers.iter().filter(|bearer| !matches!(held.get(&bearer.person), Some(Ok(_)))).cloned().collect()
        };
        if wanted.is_empty() {
            return Ok(());
        }
        let names: BTreeSet<String> = wanted.iter().flat_map(Bearer::names).map(ToString::to_string).collect();
        let found = self.place.look_up(&self.system, &names).await?;
        let cut = wanted.into_iter().map(async |bearer| {
            let kept = bearer.names().find_map(|name| Some((name, found.get(&name.to_string())?)));
            let token = match kept {
                Some((name, kept)) => self.cut(&bearer.person, name, kept).await,
                None => Err(Lack::None),
            };
            (bearer.person, token)
        });
        let cut: Vec<_> = stream::iter(cut).buffered(SIDE_BY_SIDE).collect().await;
        self.held().extend(cut);
        Ok(())
    }

    /// Makes her token of what is kept under one of her names. One that has ended is renewed first.
    async fn cut(&self, person: &PersonId, name: &PersonId, kept: &KeptToken) -> Result<Arc<OwnToken>, Lack> {
        let renewer = self.renewal.as_ref().filter(|_| kept.refresh.is_some());
        let kept = renewer.map_or_else(|| kept.clone(), |renewer| renewer.newest(name, kept));
        let mut access = kept.access.clone();
        if kept.expires_at.is_some_and(|end| end <= jiff::Timestamp::now().as_second()) {
            let renewer = renewer.ok_or(Lack::Ended)?;
            access = renewer.renew(name, &access).await.ok_or(Lack::Ended)?;
        }
        let renewal = renewer.map(|renewer| {
            Arc::new(source::Renamed { name: name.clone(), renewal: Arc::clone(renewer) }) as Arc<dyn Renewal>
        });
        Ok(Arc::new(OwnToken::new(person.clone(), kept.kind.unwrap_or(self.kind), access, renewal)))
    }

    /// Her token, after [`Keyring::find`] was asked for it.
    pub(crate) fn of(&self, person: &PersonId) -> Result<Arc<OwnToken>, Lack> {
        self.held().get(person).cloned().unwrap_or(Err(Lack::None))
    }

    /// How many people's tokens are kept; `None` where only whoever is asked knows.
    pub(crate) fn count(&self) -> Result<Option<usize>, Unfound> {
        self.place.count(&self.system)
    }

    /// Her token is not accepted: the next time it is looked for again.
    pub(crate) fn forget(&self, person: &PersonId) {
        self.held().insert(person.clone(), Err(Lack::Ended));
    }

    /// Who has to do what, and where.
    pub(crate) fn refusal(&self, person: &PersonId, lack: Lack) -> Refusal {
        let Self { system, home, .. } = self;
        let reason = match lack {
            Lack::None => {
                format!("no token of {person} is kept for {system}: she must sign in at {home} and allow it")
            }
            Lack::Ended => {
                format!(
                    "the token kept for {person} is not accepted by {system} any more: she must sign in again at {home}"
                )
            }
            Lack::Forbidden => format!(
                "{system} shows {person} nothing with the token kept for her: she must sign in again at {home}, and see what is \
                 asked of her there"
            ),
        };
        // A token that is not known any more is one that somebody renews.
        Refusal { status: Some(401), ..Refusal::new(RefusalKind::Forbidden, reason) }
    }

    /// Why nobody's token is tried any more after those of these people were refused.
    pub(crate) fn locking(&self, strangers: &[String]) -> String {
        let Self { system, home, .. } = self;
        format!(
            "the tokens kept for {} are not accepted any more, and further tries would lock everybody out who comes from \
             here: they must sign in again at {home}, or their tokens be taken away; nothing else was asked of {system}",
            strangers.join(", ")
        )
    }

    fn held(&self) -> std::sync::MutexGuard<'_, BTreeMap<PersonId, Result<Arc<OwnToken>, Lack>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tokens of a lab's people, beside the seeds: made up, so anybody may read them.
pub(crate) fn of_lab(root: &std::path::Path, system: &SystemName) -> PathBuf {
    root.join("lab").join(format!("{system}.tokens.json"))
}

impl From<UnusableTokens> for Unfound {
    fn from(error: UnusableTokens) -> Self {
        Self::File(error)
    }
}
