//! Sealed tokens of people, as rows. What is inside is not this file's to read.

use std::collections::BTreeSet;

use rusqlite::params;

use super::{
    MAIN, Sqlite,
    heads::{self, Head},
};
use crate::{
    model::{id::SystemName, plan::SignIn},
    state::{StateError, vault::SealedToken},
};

/// So many runs are looked at for who has to sign in.
const LOOKED_AT: u32 = 20;

/// What one run said of who has to sign in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LastSaid {
    pub(crate) run: i64,
    /// When it began.
    pub(crate) started: String,
    /// Whose records it was made of.
    pub(crate) sources: BTreeSet<SystemName>,
    pub(crate) sign_in: Vec<SignIn>,
    /// True where it asked a system with people's own tokens.
    pub(crate) per_person: bool,
}

impl Sqlite {
    /// All sealed tokens, by system and person.
    pub(crate) fn tokens(&self) -> Result<Vec<SealedToken>, StateError> {
        self.chosen_tokens("", [])
    }

    /// Those of these people for one system, by person.
    pub(crate) fn tokens_of(
        &self,
        system: &SystemName,
        people: &BTreeSet<String>,
    ) -> Result<Vec<SealedToken>, StateError> {
        let people = serde_json::to_string(people)?;
        let chosen = "where system = ?1 and person in (select value from json_each(?2))";
        self.chosen_tokens(chosen, params![system.as_str(), people])
    }

    fn chosen_tokens(&self, chosen: &str, parameters: impl rusqlite::Params) -> Result<Vec<SealedToken>, StateError> {
        let connection = self.connection();
        // A store that was only looked into may be older than this table.
        if !connection.table_exists(MAIN, "tokens")? {
            return Ok(Vec::new());
        }
        let mut statement = connection.prepare(&format!(
            "select system, person, nonce, sealed, saved, expires_at, renewable from tokens {chosen}
             order by system, person"
        ))?;
        let rows = statement.query_map(parameters, |row| {
            Ok(SealedToken {
                system: row.get(0)?,
                person: row.get(1)?,
                nonce: row.get(2)?,
                sealed: row.get(3)?,
                saved: row.get(4)?,
                expires_at: row.get(5)?,
                renewable: row.get(6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What the newest runs said of who has to sign in, the newest first.
    pub(crate) fn newest_sign_ins(&self) -> Result<Vec<LastSaid>, StateError> {
        let connection = self.connection();
        let mut statement = connection
            .prepare("select id, started from runs where octet_length(document) > 0 order by id desc limit ?1")?;
        let rows = statement.query_map([LOOKED_AT], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.map(|row| {
            let (run, started) = row?;
            let Head { inputs, systems, sign_in } = heads::of(&connection, run)?;
            let sources = inputs.into_iter().map(|input| input.system).collect();
            let per_person = systems.values().any(|home| home.per_person);
            Ok(LastSaid { run, started, sources, sign_in, per_person })
        })
        .collect()
    }

    /// Keeps a sealed token; one that was there is replaced.
    pub(crate) fn put_token(&self, row: &SealedToken) -> Result<(), StateError> {
        self.whole(|store| {
            store.execute(
                "insert or replace into tokens (system, person, nonce, sealed, saved, expires_at, renewable)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![row.system, row.person, row.nonce, row.sealed, row.saved, row.expires_at, row.renewable],
            )?;
            Ok(())
        })
    }

    /// Forgets a token. False where there was none.
    pub(crate) fn remove_token(&self, system: &str, person: &str) -> Result<bool, StateError> {
        let sql = "delete from tokens where system = ?1 and person = ?2";
        Ok(self.connection().execute(sql, [system, person])? > 0)
    }
}
