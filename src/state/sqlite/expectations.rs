//! The table of what is to come by itself. Whether it came is for others to see.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::MAIN;
use crate::{
    model::{
        attribute::{AttributeName, Value},
        id::{AccountId, PersonId, SystemName},
    },
    state::{
        StateError,
        expectation::{Ended, Ending, Expectation, Expecting, FollowUps, Sight},
    },
};

const COLUMNS: &str = "id, person, system, account, attribute, source, before, value, comes, run, made, deadline, became, \
                       ended, how";

/// Those that are open, whoever is due first.
pub(super) fn open(connection: &Connection) -> Result<Vec<Expectation>, StateError> {
    // A store that was only looked into may be older than this table.
    if !connection.table_exists(MAIN, "expectations")? {
        return Ok(Vec::new());
    }
    chosen(connection, "where ended is null order by made, id", [])
}

/// At most so many of those whose number is greater than this, by number.
pub(super) fn after(connection: &Connection, id: i64, most: usize) -> Result<Vec<Expectation>, StateError> {
    let chosen_by = "where ended is null and id > ?1 order by id limit ?2";
    chosen(connection, chosen_by, params![id, i64::try_from(most).unwrap_or(i64::MAX)])
}

/// How many are open, and how many of them should be there by now.
pub(super) fn expecting(connection: &Connection, now: &str) -> Result<Expecting, StateError> {
    let sql = "select count(*), count(case when julianday(deadline) < julianday(?1) then 1 end)
               from expectations where ended is null";
    Ok(connection.query_row(sql, [now], |row| Ok(Expecting { open: row.get(0)?, overdue: row.get(1)? }))?)
}

/// Those that a run made, however they ended.
pub(super) fn of_run(connection: &Connection, run: i64) -> Result<Vec<Expectation>, StateError> {
    chosen(connection, "where run = ?1 order by id", [run])
}

/// Keeps what a run leaves to come by itself.
pub(super) fn keep(transaction: &Transaction<'_>, left: &FollowUps, now: &str) -> Result<(), StateError> {
    for id in &left.withdrawn {
        end(transaction, *id, Ending::Withdrawn, now)?;
    }
    for one in &left.made {
        let place = params![one.system.as_str(), one.account.as_str(), one.attribute.as_str()];
        let before = "select id, value from expectations
                      where system = ?1 and account = ?2 and attribute = ?3 and ended is null";
        let before: Option<(i64, String)> =
            transaction.query_row(before, place, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let value = serde_json::to_string(&one.value)?;
        // A run that is finished late has said so before, or has been overtaken.
        let known = "select 1 from expectations where system = ?1 and account = ?2 and attribute = ?3
                     and (run > ?4 or run = ?4 and value = ?5)";
        let known = transaction.query_row(
            known,
            params![one.system.as_str(), one.account.as_str(), one.attribute.as_str(), one.run, value],
            |_| Ok(()),
        );
        if known.optional()?.is_some() {
            continue;
        }
        match before {
            Some((_, same)) if same == value => continue,
            Some((id, _)) => end(transaction, id, Ending::Replaced, now)?,
            None => {}
        }
        transaction.execute(
            "insert into expectations (person, system, account, attribute, source, before, value, comes, run, made, deadline)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                one.person.to_string(),
                one.system.as_str(),
                one.account.as_str(),
                one.attribute.as_str(),
                one.from.as_ref().map(SystemName::as_str),
                serde_json::to_string(&one.before)?,
                value,
                one.when,
                one.run,
                one.made,
                one.deadline,
            ],
        )?;
    }
    Ok(())
}

/// Writes down what was seen of some. What has ended meanwhile stays as it ended.
pub(super) fn seen(transaction: &Transaction<'_>, sights: &[(i64, Sight)], now: &str) -> Result<(), StateError> {
    let became = |id: i64, value: Option<&Value>| -> Result<(), StateError> {
        let value = value.map(serde_json::to_string).transpose()?;
        let sql = "update expectations set became = ?2 where id = ?1 and ended is null";
        transaction.execute(sql, params![id, value])?;
        Ok(())
    };
    for (id, sight) in sights {
        match sight {
            Sight::Over(ending) => end(transaction, *id, *ending, now)?,
            Sight::Became(value) => became(*id, Some(value))?,
            Sight::AsBefore => became(*id, None)?,
        }
    }
    Ok(())
}

/// Removes what has ended of these runs, which are a JSON list.
pub(super) fn prune(connection: &Connection, runs: &str) -> Result<(), StateError> {
    let sql = "delete from expectations where ended is not null and run in (select value from json_each(?1))";
    connection.execute(sql, [runs])?;
    Ok(())
}

fn end(transaction: &Transaction<'_>, id: i64, ending: Ending, now: &str) -> Result<(), StateError> {
    let sql = "update expectations set ended = ?2, how = ?3 where id = ?1 and ended is null";
    transaction.execute(sql, params![id, now, ending.word()])?;
    Ok(())
}

/// Those that are chosen by the end of a query.
fn chosen(
    connection: &Connection,
    chosen: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<Expectation>, StateError> {
    let mut statement = connection.prepare(&format!("select {COLUMNS} from expectations {chosen}"))?;
    let mut rows = statement.query(parameters)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.extend(read(row)?);
    }
    Ok(all)
}

fn read(row: &Row<'_>) -> Result<Option<Expectation>, StateError> {
    let value = |at: usize| -> Result<Value, StateError> { Ok(serde_json::from_str(&row.get::<_, String>(at)?)?) };
    let Some(person) = PersonId::parse(&row.get::<_, String>(1)?) else { return Ok(None) };
    let became: Option<String> = row.get(12)?;
    let (ended, how): (Option<String>, Option<String>) = (row.get(13)?, row.get(14)?);
    let how = how.as_deref().and_then(Ending::of);
    Ok(Some(Expectation {
        id: row.get(0)?,
        person,
        system: row.get::<_, String>(2)?.into(),
        account: AccountId::from(row.get::<_, String>(3)?),
        attribute: AttributeName::new(&row.get::<_, String>(4)?),
        from: row.get::<_, Option<String>>(5)?.map(SystemName::from),
        before: value(6)?,
        value: value(7)?,
        when: row.get(8)?,
        run: row.get(9)?,
        made: row.get(10)?,
        deadline: row.get(11)?,
        became: became.map(|text| serde_json::from_str(&text)).transpose()?,
        ended: ended.map(|at| Ended { how: how.unwrap_or(Ending::Gone), at }),
    }))
}

#[cfg(test)]
mod tests {
    use crate::{
        model::{
            id::{PersonId, SystemName},
            links::{Link, Links},
        },
        state::{
            Correction, Occasion, Settlement, Standing, Store,
            expectation::{Ending, Expectation, FollowUps, Sight},
            sqlite::Sqlite,
        },
    };

    fn expectation(value: &str, run: i64) -> Expectation {
        Expectation {
            id: 0,
            person: crate::model::id::PersonId::parse("hr/1").unwrap(),
            system: "chat".into(),
            account: "u1".into(),
            attribute: "username".into(),
            from: Some("git".into()),
            before: "ann".into(),
            value: value.into(),
            when: "at the next sign-in through Git".to_owned(),
            run,
            made: format!("2026-11-2{run}T00:00:00Z"),
            deadline: "2026-12-20T00:00:00Z".to_owned(),
            became: None,
            ended: None,
        }
    }

    fn settle(store: &Sqlite, left: &FollowUps) {
        let plan = crate::model::plan::Plan::empty();
        let run = store.begin(&plan, &Occasion::default(), "2026-11-20T00:00:00Z").unwrap();
        let settlement = Settlement {
            plan: &plan,
            links: &Links::default(),
            seen: &[],
            open_words: Some(&[]),
            marks: &[],
            standing: Standing::Done,
            follow_ups: left,
        };
        store.settle(run, &settlement, "2026-11-20T00:00:01Z").unwrap();
    }

    fn open(store: &Sqlite) -> Vec<(i64, String, i64)> {
        let all = store.expectations().unwrap();
        all.into_iter().map(|one| (one.id, one.value.to_string(), one.run)).collect()
    }

    fn made(values: &[(&str, i64)]) -> FollowUps {
        let made = values.iter().map(|(value, run)| expectation(value, *run)).collect();
        FollowUps { made, withdrawn: Vec::new() }
    }

    #[test]
    fn what_is_said_again_keeps_its_deadline_and_another_value_takes_its_place() {
        let store = Sqlite::in_memory().unwrap();
        settle(&store, &made(&[("anna", 1)]));
        settle(&store, &made(&[("anna", 2)]));
        assert_eq!(open(&store), [(1, "anna".to_owned(), 1)]);
        settle(&store, &made(&[("anne", 3)]));
        assert_eq!(open(&store), [(2, "anne".to_owned(), 3)]);
        let first = store.expected_of(1).unwrap().remove(0);
        assert_eq!(first.ended.map(|ended| ended.how), Some(Ending::Replaced));
        // A run that is finished late says nothing new.
        settle(&store, &made(&[("anna", 1)]));
        assert_eq!(open(&store), [(2, "anne".to_owned(), 3)]);
        settle(&store, &FollowUps { made: Vec::new(), withdrawn: vec![2] });
        settle(&store, &made(&[("anne", 3), ("anni", 2)]));
        assert_eq!(open(&store), []);
    }

    #[test]
    fn what_has_ended_stays_as_it_ended() {
        let store = Sqlite::in_memory().unwrap();
        settle(&store, &made(&[("anna", 1)]));
        store.sighted(&[(1, Sight::Became("x".into()))], "2026-11-21T00:00:00Z").unwrap();
        assert_eq!(store.expectations().unwrap()[0].became, Some("x".into()));
        store.sighted(&[(1, Sight::AsBefore)], "2026-11-21T00:00:00Z").unwrap();
        assert_eq!(store.expectations().unwrap()[0].became, None);
        store.sighted(&[(1, Sight::Over(Ending::Met))], "2026-11-22T00:00:00Z").unwrap();
        store.sighted(&[(1, Sight::Over(Ending::Gone))], "2026-11-23T00:00:00Z").unwrap();
        let ended = store.expected_of(1).unwrap().remove(0).ended.unwrap();
        assert_eq!((ended.how, ended.at.as_str()), (Ending::Met, "2026-11-22T00:00:00Z"));
    }

    #[test]
    fn nothing_is_expected_of_an_account_that_was_said_not_to_be_hers() {
        // Words on her account, on another one that is hers, on it as somebody else's, and two that say nothing of that.
        let words = [
            ("hr/1", "u1", false, true),
            ("hr/1", "u2", true, true),
            ("hr/2", "u1", true, true),
            ("hr/1", "u1", true, false),
            ("hr/2", "u1", false, false),
        ];
        for (person, account, is_hers, ends) in words {
            let store = Sqlite::in_memory().unwrap();
            settle(&store, &made(&[("anna", 1)]));
            let (person, system) = (PersonId::parse(person).unwrap(), SystemName::from("chat"));
            let link = Link { person: &person, system: &system, account };
            store.correct(&Correction { link, is_hers, by: "Ada" }, "so it is", "2026-11-21T00:00:00Z").unwrap();
            assert_eq!(open(&store).is_empty(), ends, "{person} {account} {is_hers}");
            let how = store.expected_of(1).unwrap().remove(0).ended.map(|ended| ended.how);
            assert_eq!(how, ends.then_some(Ending::NotHers));
        }
    }
}
