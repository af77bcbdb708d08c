//! The tables of a store, and what older formats of it lack.
//!
//! What their rows mean is known to whoever writes them.

use rusqlite::Connection;

use super::super::journal;

/// The format this program writes. A higher number in a file means a newer program wrote it.
pub(super) const FORMAT: i64 = 4;

/// What every store has.
pub(super) const TABLES: &str = "
    create table if not exists links (
        system text not null, account text not null, person text not null,
        run integer not null default 0, primary key (system, account)
    ) without rowid, strict;
    create table if not exists corrections (
        system text not null, account text not null, person text not null, is_hers integer not null,
        run integer not null, primary key (system, account, person)
    ) without rowid, strict;
    create table if not exists seen (
        system text not null, key text not null, said text not null, run integer not null default 0,
        primary key (system, key)
    ) without rowid, strict;
    create table if not exists words (
        system text not null, key text not null, run integer not null, said text not null, primary key (system, key, run)
    ) without rowid, strict;
    create index if not exists words_of on words (run);
    drop table if exists open_words;
    create table if not exists deeds (
        mark text not null primary key, in_doubt integer not null, run integer not null default 0
    ) without rowid, strict;
    create table if not exists runs (
        id integer primary key, plan text not null, document text not null, started text not null, finished text,
        standing text not null default 'done', feed text, input text not null default '', sha256 text, told text,
        calls integer not null default 0
    ) strict;
    create table if not exists heads (
        run integer primary key, head text not null
    ) strict;
    create table if not exists accepted (
        system text not null primary key, list text not null
    ) without rowid, strict;
    create table if not exists notices (
        system text not null, delivery text not null, key text not null, received text not null, dealt integer not null,
        primary key (system, delivery)
    ) without rowid, strict;
    create table if not exists feeds (
        feed text not null primary key, told text not null
    ) without rowid, strict;
    create table if not exists expectations (
        id integer primary key, person text not null, system text not null, account text not null, attribute text not null,
        source text, before text not null, value text not null, comes text not null, run integer not null,
        made text not null, deadline text not null, became text, ended text, how text
    ) strict;
    create unique index if not exists expectations_open on expectations (system, account, attribute) where ended is null;
    create index if not exists expectations_run on expectations (run);
    create index if not exists expectations_of on expectations (system, account, attribute);
    create table if not exists tallies (
        id integer primary key autoincrement, run integer not null, at text not null, touch text not null,
        system text not null, whom text not null, person text not null, part text
    ) strict;
    create table if not exists approvals (
        id integer primary key autoincrement, run integer not null, plan text not null, who text not null,
        at text not null, word text not null
    ) strict;
    create table if not exists tokens (
        system text not null, person text not null, nonce blob not null, sealed blob not null, saved text not null,
        expires_at integer, renewable integer not null, primary key (system, person)
    ) without rowid, strict;
    create index if not exists tallies_at on tallies (at);
    create index if not exists approvals_run on approvals (run);
    create table if not exists inputs (
        run integer not null, system text not null, primary key (system, run)
    ) without rowid, strict;
    create index if not exists runs_about on runs (feed, sha256);
    create index if not exists runs_standing on runs (standing);
";

/// What format 1 lacks in tables that it has.
pub(super) const FROM_1: &str = "
    alter table runs add column standing text not null default 'done';
    alter table runs add column feed text;
    alter table runs add column input text not null default '';
    alter table runs add column sha256 text;
    alter table runs add column told text;
    alter table runs add column calls integer not null default 0;
    update runs set calls = json_extract(document, '$.summary.calls');
    update runs set standing = 'open' where finished is null;
";

/// What format 2 lacks, as far as it has these tables.
pub(super) const FROM_2: [(&str, &str); 4] = [
    ("links", "alter table links add column run integer not null default 0"),
    ("seen", "alter table seen add column run integer not null default 0"),
    ("deeds", "alter table deeds add column run integer not null default 0"),
    ("journal", "alter table journal rename to journal_2"),
];

/// True where everything is there that [`TABLES`] makes.
pub(super) fn has_all_tables(connection: &Connection) -> Result<bool, rusqlite::Error> {
    let mut statement = connection.prepare("select 1 from sqlite_master where name = ?1")?;
    for made in [TABLES, journal::TABLES].iter().flat_map(|tables| tables.split("if not exists ").skip(1)) {
        let name = made.split_whitespace().next().unwrap_or_default();
        if !statement.exists([name])? {
            return Ok(false);
        }
    }
    Ok(true)
}
