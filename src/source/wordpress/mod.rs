//! WordPress as a source: everybody it knows, one user, and what its webhook says (`wordpress.md`).
//!
//! A website answers 200 to callers it does not know, leaves out silently what they may not see, and moves people from
//! page to page while they are read. So nothing is handed on before the list is known to be whole, and whoever is
//! missing from it is asked for once more ([`is_gone`]) before that counts. What a user means is not known here.

pub(crate) mod delivery;
mod list;
pub(crate) mod refused;
pub(crate) mod settings;
mod site;
#[cfg(test)]
mod stand_in;
#[cfg(test)]
mod tests;
mod user;

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use self::{
    list::{Kept, walk},
    refused::{ListRefused, Why},
    settings::Settings,
    site::{Site, is_no_such_user},
    user::{Cleaned, Columns, FIELDS},
};
use super::{Read, Row};
use crate::{
    model::{
        id::SystemName,
        record::{Record, RecordOrigin, Rejected},
    },
    wire::{Reader, Reply},
};

/// The route of the list, and above each user's.
const USERS: &str = "/wp/v2/users";

/// The route of the account that is signed in.
const ME: &str = "/wp/v2/users/me";

/// How often a list that shifts is read in all.
const WALKS: u32 = 3;

/// Reads everybody, and hands the rows to `sink` in the order of their ids once the list is known to be whole.
///
/// # Errors
/// Where the list cannot be read or may not be whole. `sink` has then seen no row.
pub(crate) async fn poll(
    wire: &Reader<'_>,
    shown_as: &str,
    system: &SystemName,
    settings: &Settings,
    sink: &mut dyn FnMut(Row),
) -> Result<Read, ListRefused> {
    let refused = |why| ListRefused { system: system.clone(), why };
    let site = signed_in(wire, settings).await.map_err(refused)?;
    let mut walks = 1;
    let list = loop {
        if let Some(list) = walk(&site, settings).await.map_err(refused)? {
            break list;
        }
        if walks == WALKS {
            return Err(refused(Why::Shifts { walks }));
        }
        walks += 1;
    };
    let read = Read {
        sha256: list.digest(),
        known_by: None,
        records: list.records(),
        rejected: list.rejected(),
        columns: list.header.names().iter().map(ToString::to_string).collect(),
        last_line: 0,
        final_line_end: true,
        repaired: false,
        layout: None,
        notes: list.notes(walks),
    };
    let file: Arc<str> = Arc::from(shown_as);
    let header = Arc::clone(&list.header);
    for (id, kept) in list.users {
        sink(match kept {
            Kept::Fields(fields) => {
                let origin = RecordOrigin { file: Arc::clone(&file), line: id };
                Row::Record(Record { origin, header: Arc::clone(&header), fields: fields.texts().collect() })
            }
            Kept::Fault(fault) => Row::Rejected {
                key: Some(Arc::from(id.to_string())),
                rejected: Rejected {
                    system: system.clone(),
                    file: shown_as.to_owned(),
                    line: id,
                    column: Some(fault.column),
                    code: fault.code.to_owned(),
                    reason: format!("the value {}", fault.reason),
                },
                fields: Vec::new(),
            },
        });
    }
    Ok(read)
}

/// One user as she is now. `None`: there is certainly no such user.
///
/// # Errors
/// Where she cannot be read, whether there is such a user or not.
pub(crate) async fn one(
    wire: &Reader<'_>,
    shown_as: &str,
    system: &SystemName,
    settings: &Settings,
    id: &str,
) -> Result<Option<Record>, ListRefused> {
    let refused = |why| ListRefused { system: system.clone(), why };
    let Some((number, user)) = look(wire, id, &fields(settings)).await.map_err(refused)? else { return Ok(None) };
    let columns = Columns::of(&user, settings).map_err(refused)?;
    let fields = columns.read(&user, &mut Cleaned::default()).map_err(refused)?;
    let texts = fields
        .map_err(|fault| refused(Why::Unusable { column: fault.column, code: fault.code, reason: fault.reason }))?;
    let origin = RecordOrigin { file: Arc::from(shown_as), line: number };
    let fields = texts.into_iter().map(Arc::from).collect();
    Ok(Some(Record { origin, header: Arc::clone(&columns.header), fields }))
}

/// Whether there is certainly no such user: the second condition before somebody who is missing counts as deleted.
///
/// # Errors
/// Where the site does not say so or so.
pub(crate) async fn is_gone(wire: &Reader<'_>, id: &str) -> Result<bool, ListRefused> {
    let refused = |why| ListRefused { system: wire.system().clone(), why };
    let found = look(wire, id, "id").await.map_err(refused)?;
    Ok(found.is_none())
}

/// The question who we are.
const WHO: [(&str, &str); 2] = [("context", "edit"), ("_fields", "id,username,email")];

/// Asks who we are, before anything that is shown is believed.
async fn signed_in<'a>(wire: &'a Reader<'a>, settings: &Settings) -> Result<Site<'a>, Why> {
    let (site, reply) = Site::find(wire, ME, &WHO).await?;
    let me = ourselves(&site, &reply).await?;
    let Some(login) = me.get("username").and_then(Json::as_str) else {
        return Err(Why::FieldMissing { field: "username" });
    };
    let email = me.get("email").and_then(Json::as_str).unwrap_or_default();
    // WordPress takes both at the door, in any letter case (`wordpress.md` 2).
    let is_us = |name: &str| [login, email].iter().any(|own| own.to_lowercase() == name.trim().to_lowercase());
    if settings.username.as_deref().is_some_and(|name| !is_us(name)) {
        return Err(Why::OtherAccount);
    }
    Ok(site)
}

/// The account that is signed in.
async fn ourselves(site: &Site<'_>, reply: &Reply) -> Result<Map<String, Json>, Why> {
    match site.yes(reply).await? {
        Json::Object(me) if user::id(&me).is_some() => Ok(me),
        _ => Err(Why::NotAUser),
    }
}

/// One user as the API shows her. `None`: there is certainly no such user.
async fn look(wire: &Reader<'_>, id: &str, fields: &str) -> Result<Option<(u64, Map<String, Json>)>, Why> {
    let is_digits = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    let number = id.parse::<u64>().ok().filter(|number| is_digits && *number > 0).ok_or(Why::NotAnId)?;
    let query = [("context", "edit"), ("_fields", fields)];
    let (site, reply) = Site::find(wire, &format!("{USERS}/{number}"), &query).await?;
    if is_no_such_user(&reply) {
        // Plugins that hide users from strangers may say the same to them, and we may have become one.
        ourselves(&site, &site.ask(ME, &WHO).await?).await?;
        return Ok(None);
    }
    let Json::Object(user) = site.yes(&reply).await? else { return Err(Why::NotAUser) };
    match user::id(&user) {
        Some(shown) if shown == number => Ok(Some((number, user))),
        Some(_) => Err(Why::OtherUser),
        None => Err(Why::NotAUser),
    }
}

/// What is asked of each user, as `_fields` takes it.
fn fields(settings: &Settings) -> String {
    let mut names: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
    if !settings.meta.is_empty() {
        names.push("meta");
    }
    names.join(",")
}
