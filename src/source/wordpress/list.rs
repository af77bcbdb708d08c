//! The walk over all pages, and what must hold for its list to be whole (`wordpress.md` 4).
//!
//! Pages are offsets into a live query: whoever is deleted meanwhile moves everybody behind onto an earlier page, and
//! one of them is never seen. So users are asked for in the order of their ids, every page must count the same number,
//! and there must be as many users as are counted and none behind the last page. One case is left: a deletion and a
//! registration during one walk keep the count, and somebody may be missing all the same. Nothing in the pages shows it,
//! which is why whoever is missing is asked for by id before that counts.

use std::{collections::BTreeMap, sync::Arc};

use base16ct::lower::encode_string as hex;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use super::{
    USERS, fields,
    refused::Why,
    settings::Settings,
    site::Site,
    user::{self, Cleaned, Columns, Fault},
};
use crate::{model::record::Header, wire::Reply};

/// Users on one page: the most that WordPress gives.
const PER_PAGE: u64 = 100;

/// A list that is whole.
pub(super) struct List {
    pub(super) header: Arc<Header>,
    /// By id.
    pub(super) users: BTreeMap<u64, Kept>,
    cleaned: Cleaned,
    hidden: Vec<&'static str>,
    without_email: u64,
}

/// What is kept of one user.
pub(super) enum Kept {
    Fields(Packed),
    Fault(Fault),
}

/// The fields of one user in as little room as they need: a million of them are held until the list is known to be
/// whole.
pub(super) struct Packed {
    text: Box<str>,
    /// Where each field ends.
    ends: Box<[u32]>,
}

impl Packed {
    fn new(texts: &[String]) -> Self {
        let mut end = 0_u32;
        let ends = texts.iter().map(|text| {
            end = end.saturating_add(u32::try_from(text.len()).unwrap_or(u32::MAX));
            end
        });
        Self { ends: ends.collect(), text: texts.concat().into_boxed_str() }
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.text.get(start as usize..*end as usize).unwrap_or_default())
    }
}

/// Reads all pages once. `None`: people came or went meanwhile, so nothing is known.
///
/// # Errors
/// Where the list cannot be whole however often it is read.
pub(super) async fn walk(site: &Site<'_>, settings: &Settings) -> Result<Option<List>, Why> {
    let fields = fields(settings);
    let mut walk = Walk { settings, columns: None, users: BTreeMap::new(), cleaned: Cleaned::default(), bytes: 0 };
    let (mut page, mut counted) = (1_u64, None);
    loop {
        let number = page.to_string();
        let query = [
            ("context", "edit"),
            ("per_page", "100"),
            ("orderby", "id"),
            ("order", "asc"),
            ("page", number.as_str()),
            ("_fields", fields.as_str()),
        ];
        let reply = site.ask(USERS, &query).await?;
        let Json::Array(users) = site.yes(&reply).await? else { return Err(Why::NotAList) };
        let total = total(&reply)?;
        if *counted.get_or_insert(total) != total {
            return Ok(None);
        }
        if total > settings.limits.users {
            return Err(Why::TooManyUsers { total, limit: settings.limits.users });
        }
        let pages = total.div_ceil(PER_PAGE);
        let expected = if page > pages { 0 } else { PER_PAGE };
        let shown = users.len() as u64;
        if page == 1 && shown == 0 {
            return Err(if total == 0 { Why::Empty } else { Why::NothingShown { total } });
        }
        if shown > expected {
            return Err(Why::TooMany { total });
        }
        for user in &users {
            if !walk.take(user)? {
                return Ok(None);
            }
        }
        if page > pages {
            return walk.finish(total).map(Some);
        }
        page += 1;
    }
}

/// How many users the server counts.
fn total(reply: &Reply) -> Result<u64, Why> {
    let Some(text) = reply.headers.get("x-wp-total") else { return Err(Why::NoTotal { what: "is missing" }) };
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or(Why::NoTotal { what: "is no number" })
}

/// One walk under way.
struct Walk<'s> {
    settings: &'s Settings,
    columns: Option<Columns<'s>>,
    users: BTreeMap<u64, Kept>,
    cleaned: Cleaned,
    bytes: usize,
}

impl Walk<'_> {
    /// Takes one more user. False: she was there before, so the pages have moved.
    fn take(&mut self, user: &Json) -> Result<bool, Why> {
        let user: &Map<String, Json> = user.as_object().ok_or(Why::NotAList)?;
        let id = user::id(user).ok_or(Why::NoId)?;
        if self.users.contains_key(&id) {
            return Ok(false);
        }
        if self.users.last_key_value().is_some_and(|(last, _)| *last > id) {
            return Err(Why::NotInOrder);
        }
        let columns = match &mut self.columns {
            Some(columns) => columns,
            none => none.insert(Columns::of(user, self.settings)?),
        };
        let kept = match columns.read(user, &mut self.cleaned)? {
            Ok(texts) => {
                self.bytes = texts.iter().fold(self.bytes, |sum, text| sum.saturating_add(text.len()));
                Kept::Fields(Packed::new(&texts))
            }
            Err(fault) => Kept::Fault(fault),
        };
        if self.bytes > self.settings.limits.bytes {
            return Err(Why::TooLarge { limit: self.settings.limits.bytes });
        }
        self.users.insert(id, kept);
        Ok(true)
    }

    fn finish(self, total: u64) -> Result<List, Why> {
        let shown = self.users.len() as u64;
        if shown != total {
            return Err(Why::Incomplete { total, shown });
        }
        let columns = self.columns.ok_or(Why::Empty)?;
        let without_email = columns.header.position("email").map_or(0, |at| {
            let is_empty = |kept: &&Kept| match kept {
                Kept::Fields(packed) => packed.texts().nth(at) == Some(""),
                Kept::Fault(_) => false,
            };
            self.users.values().filter(is_empty).count() as u64
        });
        Ok(List {
            header: Arc::clone(&columns.header),
            users: self.users,
            cleaned: self.cleaned,
            hidden: columns.hidden(),
            without_email,
        })
    }
}

impl List {
    pub(super) fn records(&self) -> u64 {
        self.users.len() as u64 - self.rejected()
    }

    pub(super) fn rejected(&self) -> u64 {
        self.users.values().filter(|kept| matches!(kept, Kept::Fault(_))).count() as u64
    }

    /// A digest of the columns and of every user's cleaned fields, in the order of ids: the same people, the same digest,
    /// however they were split into pages.
    pub(super) fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        let mut add = |text: &str| {
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text);
        };
        add(&self.header.names().len().to_string());
        self.header.names().iter().for_each(|name| add(name));
        for (id, kept) in &self.users {
            match kept {
                Kept::Fields(packed) => packed.texts().for_each(&mut add),
                Kept::Fault(fault) => [&id.to_string(), &fault.column, fault.code].into_iter().for_each(&mut add),
            }
        }
        hex(&hasher.finalize())
    }

    /// Sentences for the report.
    pub(super) fn notes(&self, walks: u32) -> Vec<String> {
        let mut notes = vec![format!("the list is whole: {} users, as many as the site counts", self.users.len())];
        if walks > 1 {
            notes.push(format!("people came or went while it was read, so it was read {walks} times"));
        }
        if !self.hidden.is_empty() {
            notes.push(format!("fields that the site does not show: {}", self.hidden.join(", ")));
        }
        if self.without_email > 0 {
            notes.push(format!("users without an e-mail address: {}", self.without_email));
        }
        notes.extend(self.cleaned.notes());
        notes
    }
}
