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
        links::Link,
        own_token::{KeptToken, TokenKind},
        refusal::{Refusal, RefusalKind},
        secret::Secrets,
    },
    wire::{OwnToken, Renewal, Unrenewed},
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
    ties: impl IntoIterator<Item = Link<'a>>,
) -> Vec<Bearer> {
    let mut bearers: BTreeMap<&PersonId, Bearer> =
        people.into_iter().map(|person| (person, Bearer { person: person.clone(), also: BTreeSet::new() })).collect();
    for link in ties {
        let name = PersonId { system: link.system.clone(), key: link.account.into() };
        if let Some(bearer) = bearers.get_mut(link.person).filter(|bearer| bearer.person != name) {
            bearer.also.insert(name);
        }
    }
    bearers.into_values().collect()
}

/// Why nothing can be done with somebody's own token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// None is kept.
    None,
    /// It has ended, by the time that was kept with it or by what the system says.
    Ended,
    /// The system shows her nothing with it.
    Forbidden,
    /// What is kept as hers is no token, or may be: what is wrong with it.
    Unusable(String),
    /// It has ended and could not be renewed, through no fault of hers: why, and what to do.
    Unrenewed(String),
}

/// The code of a refusal where a person has to sign in before anything can be done for her.
pub(crate) const SIGN_IN: &str = "sign_in";

/// The code of a refusal where somebody has to look at what is kept as her token.
const UNUSABLE: &str = "unusable_token";

/// True for a no to a person's own token that is over once she has signed in, or it was mended: the same call may be taken
/// then.
pub(crate) fn may_be_renewed(refusal: &Refusal) -> bool {
    refusal.code.as_deref().is_some_and(|code| code == SIGN_IN || code == UNUSABLE)
}

/// The no to a call for which her token opens an account that is not hers: somebody has to look at what is kept.
pub(crate) fn not_hers(reason: String) -> Refusal {
    Refusal { code: Some(UNUSABLE.to_owned()), ..Refusal::new(RefusalKind::Forbidden, reason) }
}

/// True for a no that only the person herself can end, by signing in.
pub(crate) fn must_sign_in(refusal: &Refusal) -> bool {
    refusal.code.as_deref() == Some(SIGN_IN)
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
    /// Whatever is handed out is told to it.
    secrets: Secrets,
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
        secrets: Secrets,
    ) -> Self {
        Self { system, home, kind, place, renewal, secrets, held: Mutex::new(BTreeMap::new()) }
    }

    /// The address where people sign in.
    pub(crate) fn home(&self) -> &str {
        &self.home
    }

    /// Finds the tokens of these people. With `anew`, what was found before is forgotten first.
    ///
    /// # Errors
    /// Where the place of all tokens cannot be used; whoever has none there is no error.
    pub(crate) async fn find(&self, bearers: &[Bearer], anew: bool) -> Result<(), Unfound> {
        if anew {
            self.held().clear();
            if let Some(renewer) = &self.renewal {
                renewer.begin();
            }
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
        for kept in found.tokens.values().flatten() {
            for secret in kept.refresh.iter().chain([&kept.access]) {
                self.secrets.learn(secret);
            }
        }
        let cut = wanted.into_iter().map(async |bearer| {
            let mut kept: Vec<_> =
                bearer.names().filter_map(|name| Some((name, found.tokens.get(&name.to_string())?))).collect();
            // Of several names, one whose token can be used.
            kept.sort_by_key(|(_, kept)| kept.is_err());
            let kept = kept.into_iter().next();
            let token = match (kept, &found.unread) {
                (Some((name, Ok(kept))), _) => self.cut(&bearer.person, name, kept).await,
                (Some((_, Err(fault))), _) => Err(Lack::Unusable(fault.clone())),
                (None, Some(fault)) => Err(Lack::Unusable(format!("none is found, and it may be this one: {fault}"))),
                (None, None) => Err(Lack::None),
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
        for secret in kept.refresh.iter().chain([&access]) {
            self.secrets.learn(secret);
        }
        if kept.expires_at.is_some_and(|end| end <= jiff::Timestamp::now().as_second()) {
            let renewer = renewer.ok_or(Lack::Ended)?;
            access = renewer.renew(name, &access).await.map_err(|unrenewed| match unrenewed {
                Unrenewed::Ended => Lack::Ended,
                Unrenewed::Fault(fault) => Lack::Unrenewed(fault),
            })?;
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

    /// Everybody of whom a token is kept; `None` where only whoever is asked knows. Who is written as nobody is left out.
    pub(crate) fn people(&self) -> Result<Option<BTreeSet<PersonId>>, Unfound> {
        let people = self.place.people(&self.system)?;
        Ok(people.map(|people| people.iter().filter_map(|name| PersonId::parse(name)).collect()))
    }

    /// Her token is not accepted: the next time it is looked for again.
    pub(crate) fn forget(&self, person: &PersonId, lack: Lack) {
        self.held().insert(person.clone(), Err(lack));
    }

    /// What a no to this token is worth: where it could not be renewed through no fault of hers, it is that.
    pub(crate) fn refused(token: &OwnToken) -> Lack {
        token.fault().map_or(Lack::Ended, Lack::Unrenewed)
    }

    /// Who has to do what, and where.
    pub(crate) fn refusal(&self, person: &PersonId, lack: &Lack) -> Refusal {
        let Self { system, home, .. } = self;
        let (kind, code, reason) = match lack {
            Lack::None => {
                let reason =
                    format!("no token of {person} is kept for {system}: she must sign in at {home} and allow it");
                (RefusalKind::Forbidden, Some(SIGN_IN), reason)
            }
            Lack::Ended => {
                let reason = format!(
                    "the token kept for {person} is not accepted by {system} any more: she must sign in again at {home}"
                );
                (RefusalKind::Forbidden, Some(SIGN_IN), reason)
            }
            Lack::Forbidden => {
                let reason = format!(
                    "{system} shows {person} nothing with the token kept for her: she must sign in again at {home}, and see \
                     what is asked of her there"
                );
                (RefusalKind::Forbidden, Some(SIGN_IN), reason)
            }
            Lack::Unusable(fault) => {
                let reason = format!("the token of {person} at {system} cannot be used: {fault}");
                (RefusalKind::Forbidden, Some(UNUSABLE), reason)
            }
            Lack::Unrenewed(fault) => {
                let reason = format!("the token of {person} at {system} has ended and could not be renewed: {fault}");
                (RefusalKind::Unavailable, None, reason)
            }
        };
        Refusal { code: code.map(str::to_owned), ..Refusal::new(kind, reason) }
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
