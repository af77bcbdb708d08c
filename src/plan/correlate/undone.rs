//! Creations of earlier runs of which nobody knows whether they have made an account: whom they stand in the way of.
//!
//! Where such an account is looked for, and how, is not known here.

use std::sync::Arc;

use super::super::{
    Providers, fold, folded,
    index::{Index, Known, Name, Place},
};
use crate::model::{
    attribute::{AttributeName, Value},
    plan::OpenCreation,
    record::Statement,
};

/// What there is to look at.
pub(super) struct Undone<'s, 'a> {
    pub(super) index: &'s Index<'a>,
    pub(super) known: &'s Known<'a>,
    pub(super) providers: &'s dyn Providers,
}

impl Undone<'_, '_> {
    /// Why somebody is held: she may have that account already, under the names that she had then, or the account that she
    /// seems to have there is what was made for somebody else.
    pub(super) fn stands_against(
        &self,
        open: &OpenCreation,
        person: Name<'_>,
        said: &[&Arc<Statement>],
        place: Option<Place>,
    ) -> Option<String> {
        let Self { index, known, .. } = *self;
        let (run, at, whose) = (open.run, &open.system, Name::from(&open.person));
        if person == whose || said.iter().any(|statement| Name::own(statement) == whose) {
            // By the names that it was sent with she would be found, and nothing is sent that was not sent before.
            let is_said_so = |(attribute, value): (&AttributeName, &Value)| {
                let now = said.iter().find_map(|statement| statement.values.get(attribute));
                now.is_some_and(|now| self.stored(open, attribute, &now) == self.stored(open, attribute, value))
            };
            let is_open = place.is_none() && !open.names.iter().all(is_said_so);
            return is_open.then(|| {
                format!("run {run} may have made her account at {at} under other names: `homeward resume {run}` looks for it")
            });
        }
        let place = place.filter(|place| known.of(*place).is_none())?;
        let account = index.account(place);
        let mut names = open.names.iter().filter_map(|(name, value)| Some((name, self.stored(open, name, value)?)));
        let is_it = names.any(|(attribute, text)| account.text(attribute).is_some_and(|held| *fold(held) == *text));
        let id = index.id(place);
        is_it.then(|| {
            format!("{at}:{id} may be what run {run} made for {whose}: `homeward resume {run}` looks whether it is")
        })
    }

    /// A name as the system stores it, whatever its case.
    fn stored(&self, open: &OpenCreation, attribute: &AttributeName, value: &Value) -> Option<String> {
        folded(&self.providers.normalize(&open.system, attribute, value))
    }
}
