//! The last step: what a function returned, as a statement. The rules of what a value may be are `statement`'s.

use std::sync::Arc;

use crate::model::{
    attribute::{AttributeName, Value},
    few::Few,
    id::SystemName,
    record::Statement,
    values::Values,
};

use super::{
    super::statement::{Plain, key_of},
    NotMe,
    tree::{Said, Takes},
    walk::{Frame, Val},
};

/// So many attributes have a bit each.
pub(super) const MOST: usize = 64;
/// So many are few.
const FEW: usize = 16;
/// So many forms are kept.
const MAX_FORMS: usize = 256;

pub(super) fn statement<'r>(
    frame: &mut Frame<'r, '_>,
    answer: Val<'r>,
    system: &SystemName,
) -> Result<Option<Statement>, NotMe> {
    let shape = match answer {
        Val::Nothing => return Ok(None),
        Val::Map(shape) => shape,
        _ => return Err(NotMe),
    };
    let said = shape.said.as_ref().ok_or(NotMe)?;
    let key = frame.plain(shape.first + said.key)?;
    let key: Arc<str> = key_of(&frame.shown(&key)).ok().flatten().ok_or(NotMe)?.into();
    let values = values(frame, shape.first, said)?;
    Ok(Some(Statement {
        system: system.clone(),
        key,
        values,
        origin: frame.record().origin.clone(),
        fresh: true,
        deeds: Few::default(),
        of_nobody: false,
        unsettled: Few::default(),
        quiet: Few::default(),
    }))
}

fn values(frame: &mut Frame<'_, '_>, first: usize, said: &Said) -> Result<Values, NotMe> {
    // Most statements have few, which need no room of their own.
    let (mut few, mut many) = ([const { Value::Empty }; FEW], Vec::new());
    let spoken = if said.attributes.len() <= FEW {
        &mut few[..]
    } else {
        many.resize(said.attributes.len(), Value::Empty);
        &mut many[..]
    };
    let mut mask = 0_u64;
    for (bit, (entry, _, takes)) in said.attributes.iter().enumerate() {
        let plain = frame.plain(first + entry)?;
        let plain = frame.shown(&plain);
        let value = match takes {
            Takes::One(wanted) => wanted.take(&plain).map_err(|_| NotMe)?,
            Takes::Set if matches!(plain, Plain::Nothing) => None,
            Takes::Set => return Err(NotMe),
        };
        if let Some(value) = value {
            spoken[bit] = value;
            mask |= 1 << bit;
        }
    }
    let mut forms = said.forms.borrow_mut();
    let names = if let Some(form) = forms.get(&mask) {
        Arc::clone(form)
    } else {
        let names = said.attributes.iter().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0);
        let form: Arc<[AttributeName]> = names.map(|(_, (_, name, _))| name.clone()).collect();
        if forms.len() < MAX_FORMS {
            forms.insert(mask, Arc::clone(&form));
        }
        form
    };
    let values = spoken.iter().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0).map(|(_, value)| value);
    Ok(Values::new(names, values))
}
