//! The room as its users see it: load a folder, map records, ask for owners, read what went wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::*;
use crate::model::{
    account::Account,
    attribute::Value,
    few::Few,
    id::{AccountId, PersonId},
    record::{Header, RecordOrigin},
};

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn provider(attributes: &[&str], own: &[&str], facts: &[&str], lookups: &[&str]) -> KnownSystem {
    KnownSystem {
        kind: String::new(),
        is_source: false,
        is_provider: true,
        attributes: texts(&[attributes, own].concat()),
        own_attributes: texts(own),
        facts: texts(facts),
        lookups: texts(lookups),
        sets: BTreeMap::new(),
        operations: Vec::new(),
    }
}

fn known() -> Known {
    let source = KnownSystem { is_source: true, ..KnownSystem::default() };
    let names = &["username", "email", "first_name", "last_name", "nickname", "position", "active"];
    let mattermost = provider(names, &["teams"], &["auth_service"], &["username", "email"]);
    let systems = [
        ("gitlab", provider(&["username", "email", "active"], &["note"], &["is_admin"], &["username", "email"])),
        ("mattermost", KnownSystem { sets: BTreeMap::from([("teams".to_owned(), texts(&["member"]))]), ..mattermost }),
        ("zitadel", provider(names, &[], &["state"], &["email"])),
        ("hr", source.clone()),
        ("website", source),
    ];
    Known {
        systems: systems.into_iter().map(|(name, it)| (name.into(), it)).collect(),
        extra_attributes: BTreeSet::from([AttributeName::new("cost_center")]),
    }
}

fn load_files(files: &[(&str, &str)]) -> Result<RuleSet, Vec<RuleError>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    RuleSet::load(folder.path(), "rules", &known(), jiff::civil::date(2026, 11, 20))
}

fn load(text: &str) -> RuleSet {
    load_files(&[("people.rhai", text)]).unwrap_or_else(|errors| panic!("{}", told(&errors).join("\n")))
}

/// Everything an error says, on one line.
fn tell(error: &RuleError) -> String {
    let origin = error.origin().map_or_else(|| "nowhere".to_owned(), ToString::to_string);
    let mark = error.origin().map_or_else(String::new, |at| {
        let line = error.source_text().unwrap().lines().nth(at.line - 1).unwrap_or_default();
        line.chars().skip(at.column - 1).take(error.span_chars()).collect()
    });
    let second = error.second().map(|(at, label)| format!(" ({label}: {at})")).unwrap_or_default();
    let record = error.record().map(|it| format!(" on {it}")).unwrap_or_default();
    let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("{origin} [{mark}] {error}{second}{record}{hint}")
}

fn told(errors: &[RuleError]) -> Vec<String> {
    errors.iter().map(tell).collect()
}

fn faults(text: &str) -> Vec<String> {
    told(&load_files(&[("people.rhai", text)]).err().unwrap_or_default())
}

fn record(columns: &[(&str, &str)]) -> Record {
    Record {
        origin: RecordOrigin { file: "hr.csv".into(), line: 7 },
        header: Arc::new(Header::new(columns.iter().map(|(name, _)| (*name).to_owned()))),
        fields: columns.iter().map(|(_, field)| *field).collect(),
    }
}

fn map(rule: &str, columns: &[(&str, &str)]) -> Result<Option<Statement>, String> {
    load(rule).map(&"hr".into(), &record(columns)).map_err(|error| tell(&error))
}

fn values(statement: &Statement) -> Vec<(&str, Value)> {
    statement.values.iter().map(|(name, value)| (name.as_str(), value)).collect()
}

fn account(system: &str, attributes: &[(&str, Value)], facts: &[(&str, Value)]) -> (SystemName, Arc<Account>) {
    let account = Account {
        id: Some(AccountId::from("42")),
        attributes: attributes.iter().map(|(name, value)| (AttributeName::new(name), value.clone())).collect(),
        facts: facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        ..Account::absent(system.into(), Arc::default())
    };
    (system.into(), Arc::new(account))
}

fn person(statements: &[(&str, &[(&str, Value)])], accounts: Vec<(SystemName, Arc<Account>)>) -> Person {
    let statement = |(system, said): &(&str, &[(&str, Value)])| {
        Arc::new(Statement {
            system: (*system).into(),
            key: "1".into(),
            values: said.iter().map(|(name, value)| (AttributeName::new(name), value.clone())).collect(),
            origin: RecordOrigin { file: format!("{system}.csv").into(), line: 2 },
            fresh: true,
            deeds: Few::default(),
            of_nobody: false,
            unsettled: Few::default(),
            quiet: Few::default(),
        })
    };
    Person {
        id: PersonId { system: "hr".into(), key: "1".into() },
        statements: statements.iter().map(statement).collect(),
        accounts: accounts.into_iter().collect(),
        held: None,
        unseen: BTreeMap::new(),
    }
}

fn own(rules: &RuleSet, person: &Person, attributes: &[&str]) -> Result<Vec<String>, String> {
    let attributes: BTreeSet<AttributeName> = attributes.iter().map(|name| AttributeName::new(name)).collect();
    let owned = rules.own(person, &Arc::new(attributes)).map_err(|error| tell(&error))?;
    let owners = owned.owners.iter().map(|(it, owned)| format!("{it}: {} {}", owned.system, owned.origin.line));
    let accounts = owned.accounts.iter().map(|(it, wish)| format!("{it}? {} {}", wish.wanted, wish.origin.line));
    Ok(owners.chain(accounts).collect())
}

const SAMPLE: &str = r#"
// Who owns what. First match wins, top to bottom.
owner("username", "gitlab", |person| person.mattermost?.auth_service == "gitlab");
owner("username", "mattermost");
owner("email", "zitadel");
owner(["first_name", "last_name", "department", "active"], "hr");
copies("email", ["gitlab", "mattermost"]);

source("hr", |row| #{
    key: row.employee_id,
    email: row.email.lower(),
    first_name: row.first_name,
    last_name: row.last_name,
    active: row.status == "Active",
});
source("website", |user| #{ key: user.id, email: user.email, username: user.username });

join("gitlab", ["email", "username"]);
account("mattermost", |person| person.active);
temporary("username", "gitlab");
"#;

#[test]
fn what_rules_declare_becomes_a_policy_with_the_place_of_every_line() {
    let rules = load(SAMPLE);
    let policy = rules.policy();
    let owners: Vec<_> = policy
        .owners
        .iter()
        .map(|it| {
            let names: Vec<_> = it.attributes.iter().map(AttributeName::as_str).collect();
            format!("{} {} {} {}", it.origin, names.join("+"), it.system, it.conditional)
        })
        .collect();
    assert_eq!(
        owners,
        [
            "rules/people.rhai:3:1 username gitlab true",
            "rules/people.rhai:4:1 username mattermost false",
            "rules/people.rhai:5:1 email zitadel false",
            "rules/people.rhai:6:1 first_name+last_name+department+active hr false",
        ]
    );
    assert_eq!(&*policy.owners[1].origin.text, r#"owner("username", "mattermost");"#);
    let copies = &policy.copies[&AttributeName::new("email")];
    assert_eq!(copies.systems, ["gitlab".into(), "mattermost".into()]);
    assert_eq!(copies.origin.line, 7);
    assert_eq!(
        policy.joins[&"gitlab".into()].attributes,
        [AttributeName::new("email"), AttributeName::new("username")]
    );
    assert_eq!(policy.accounts[&"mattermost".into()].line, 19);
    assert_eq!(policy.sources.keys().map(SystemName::as_str).collect::<Vec<_>>(), ["hr", "website"]);
    assert_eq!(policy.temporary[&(AttributeName::new("username"), "gitlab".into())].line, 20);
    assert!(rules.has_source(&"hr".into()));
    assert!(!rules.has_source(&"gitlab".into()));
    let spoken =
        |system: &str| -> Vec<String> { rules.speaks_of(&system.into()).iter().map(ToString::to_string).collect() };
    assert_eq!(spoken("hr"), ["active", "email", "first_name", "last_name"]);
    assert_eq!(spoken("website"), ["email", "username"]);
    assert_eq!(spoken("gitlab"), Vec::<String>::new());
    assert_eq!(rules.examine(&lint::Samples::new(), true).findings, []);
}

#[test]
fn a_digest_changes_with_names_and_bytes_and_with_nothing_else() {
    let digest = |files: &[(&str, &str)]| load_files(files).unwrap().digest().to_owned();
    let base = digest(&[("a.rhai", ""), ("b.rhai", "let x = 1;")]);
    assert!(base.starts_with("sha256:") && base.len() == 71);
    assert_eq!(digest(&[("b.rhai", "let x = 1;"), ("a.rhai", ""), ("notes.txt", "x"), ("tests/c.rhai", "x(")]), base);
    assert_ne!(digest(&[("a.rhai", ""), ("c.rhai", "let x = 1;")]), base);
    assert_ne!(digest(&[("a.rhai", ""), ("b.rhai", "let x = 2;")]), base);
    assert_ne!(digest(&[("a.rhai", "let x = 1;"), ("b.rhai", "")]), base);
}

#[test]
fn a_record_becomes_a_statement_and_only_what_is_said_is_in_it() {
    let rule = r#"source("hr", |row| #{
        key: row.id, email: row.Mail.trim().lower(), last_name: row["Last Name"], nickname: (), phone: clear(),
        first_name: "", active: row.status == "Active", position: 7, "gitlab.note": row.has("x"), cost_center: `c${1}`,
    });"#;
    let columns = [("id", " 12 "), ("Mail", " A@B.C "), ("Last Name", "Größe"), ("status", "Active")];
    let statement = map(rule, &columns).unwrap().unwrap();
    assert_eq!((&*statement.key, statement.fresh, statement.system.as_str()), ("12", true, "hr"));
    assert_eq!(statement.origin.to_string(), "hr.csv:7");
    assert_eq!(
        values(&statement),
        [
            ("active", true.into()),
            ("cost_center", "c1".into()),
            ("email", "a@b.c".into()),
            ("gitlab.note", false.into()),
            ("last_name", "Größe".into()),
            ("phone", Value::Empty),
            ("position", "7".into()),
        ]
    );
}

#[test]
fn a_source_function_may_pass_a_record_over() {
    let rule = r#"source("hr", |row| { if row.status == "Test" { return; } #{ key: row.id } });"#;
    assert_eq!(map(rule, &[("id", "1"), ("status", "Test")]), Ok(None));
    assert!(map(rule, &[("id", "1"), ("status", "x")]).unwrap().is_some());
}

#[test]
fn records_with_other_columns_in_between_are_read_by_their_own_header() {
    let rules = load(r#"source("hr", |row| #{ key: row.id, email: row.email });"#);
    let key = |columns: &[(&str, &str)]| rules.map(&"hr".into(), &record(columns)).unwrap().unwrap().key;
    assert_eq!(&*key(&[("id", "1"), ("email", "a")]), "1");
    assert_eq!(&*key(&[("email", "a"), ("id", "2")]), "2");
    assert!(rules.map(&"hr".into(), &record(&[("email", "a")])).is_err());
    assert_eq!(&*key(&[("id", "3"), ("email", "a")]), "3");
}

#[test]
fn functions_and_constants_of_the_same_file_can_be_used() {
    let rule = r#"
        const DOMAIN = "example.org";
        const BOTH = ["a", "b"];
        const row = 1;
        fn address(name) { `${name.slug()}@${DOMAIN}` }
        fn other(name) { address(name + global::BOTH[0]) }
        source("hr", |row| #{ key: row.id, email: address(row.name), nickname: other(row.name), phone: BOTH[1] + global::DOMAIN });
    "#;
    let statement = map(rule, &[("id", "1"), ("name", "Zoë")]).unwrap().unwrap();
    assert_eq!(
        values(&statement),
        [
            ("email", "zoe@example.org".into()),
            ("nickname", "zoea@example.org".into()),
            ("phone", "bexample.org".into())
        ]
    );
}

#[test]
fn a_named_function_can_stand_for_an_anonymous_one() {
    let rule = r#"fn read(row) { #{ key: row.id } } source("hr", read);"#;
    assert_eq!(&*map(rule, &[("id", "1")]).unwrap().unwrap().key, "1");
}

#[test]
fn constants_of_one_file_are_not_those_of_another() {
    let line = |system: &str, value: &str| {
        format!("const X = \"{value}\"; source(\"{system}\", |row| #{{ key: row.id, nickname: X }});")
    };
    let rules = load_files(&[("a.rhai", &line("hr", "one")), ("b.rhai", &line("website", "two"))]).unwrap();
    let said = |system: &str| {
        let statement = rules.map(&system.into(), &record(&[("id", "1")])).unwrap().unwrap();
        statement.values.get(&AttributeName::new("nickname")).unwrap()
    };
    assert_eq!((said("hr"), said("website")), ("one".into(), "two".into()));
}

#[test]
fn what_a_record_lacks_is_named_with_its_place_and_the_record() {
    let rule = r#"source("hr", |row| #{ key: row.id, email: row.emial.lower() });"#;
    assert_eq!(
        map(rule, &[("id", "1"), ("email", "x")]).unwrap_err(),
        "rules/people.rhai:1:47 [emial] the record has no column `emial` on hr.csv:7; did you mean `email`?"
    );
    let rule = r#"source("hr", |row| #{ key: row["Personal Nr"] });"#;
    assert_eq!(
        map(rule, &[("id", "1"), ("email", "x")]).unwrap_err(),
        "rules/people.rhai:1:31 [[] the record has no column `Personal Nr` on hr.csv:7; it has `id`, `email`"
    );
}

#[test]
fn what_a_source_function_may_not_return_is_named_with_its_key() {
    for (returned, wanted) in [
        ("#{ id: row.id }", "unknown attribute `id` on hr.csv:7; did you mean `key`?"),
        ("#{ key: row.id, emial: row.id }", "unknown attribute `emial` on hr.csv:7; did you mean `email`?"),
        (
            "#{ key: row.id, active: row.id }",
            "`active` must be true or false, but is text on hr.csv:7; compare it: `active: row.status == \"Active\"`",
        ),
        (
            "#{ key: row.id, active: clear() }",
            "`active` must be true or false, but is `clear()` on hr.csv:7; compare something: `active: row.status == \"Active\"`",
        ),
        ("#{ key: row.id, email: true }", "`email` must be text, but is true or false on hr.csv:7"),
        ("#{ key: row.id, email: [1] }", "`email` must be text, but is a list on hr.csv:7"),
        ("#{ key: row.id, email: 1.5 }", "`email` must be text, but is a decimal number on hr.csv:7"),
        (
            "#{ key: \" \", email: row.id }",
            "the record has no key on hr.csv:7; `key` must be the source's own immutable key for the person, such as a number",
        ),
        ("#{ key: true }", "`key` must be text, but is true or false on hr.csv:7"),
        (
            "row.id",
            "what the function for `hr` returns must be a map `#{ key: ... }` or (), but is text on hr.csv:7; as in `source(\"hr\", |row| #{ key: row.employee_id, email: row.email })`",
        ),
    ] {
        let error = map(&format!("source(\"hr\", |row| {returned});"), &[("id", "1")]).unwrap_err();
        assert_eq!(error.split_once("] ").unwrap().1, wanted, "{returned}");
    }
    let error = map("source(\"hr\", |row| #{ key: row.id,\n  email: true });", &[("id", "1")]).unwrap_err();
    assert!(error.starts_with("rules/people.rhai:2:3 [email]"), "{error}");
}

#[test]
fn a_fault_of_the_record_rejects_it_and_a_fault_of_the_rule_does_not() {
    let rejects = |body: &str| {
        let rules = load(&format!("source(\"hr\", |row| {body});"));
        let long = "x".repeat(20_000);
        let columns = [("id", "1"), ("long", long.as_str()), ("half", &long[..10_000])];
        let error = rules.map(&"hr".into(), &record(&columns)).unwrap_err();
        (error.rejects_record(), error.code())
    };
    assert_eq!(rejects("#{ key: \"\" }"), (true, "no_key"));
    assert_eq!(rejects("#{ key: row.id, phone: date(row.id, \"%d.%m.%Y\") }"), (true, "not_a_date"));
    assert_eq!(rejects("#{ key: row.id, phone: date(row.id, \"%Y\") }"), (false, "bad_format"));
    assert_eq!(rejects("throw \"not of ours\""), (true, "thrown"));
    assert_eq!(rejects("#{ key: row.long }"), (true, "too_much"));
    assert_eq!(rejects("#{ key: row.id, email: row.half, phone: row.half }"), (true, "too_much"));
    assert_eq!(rejects("#{ key: row.half.replace(\"x\", \"yy\") }"), (true, "too_much"));
    assert_eq!(rejects("loop { }"), (true, "limit_exceeded"));
    assert_eq!(rejects("#{ key: row.idd }"), (false, "unknown_column"));
    assert_eq!(rejects("#{ key: row.id, emial: 1 }"), (false, "unknown_attribute"));
    assert_eq!(rejects("1 + row.id"), (false, "wrong_arguments"));
}

#[test]
fn the_first_owner_line_that_matches_wins() {
    let rules = load(SAMPLE);
    let through_gitlab = account("mattermost", &[], &[("auth_service", "gitlab".into())]);
    let said: &[(&str, Value)] = &[("active", true.into())];
    let anna = person(&[("hr", said)], vec![through_gitlab]);
    assert_eq!(
        own(&rules, &anna, &["username", "email", "active", "nickname"]).unwrap(),
        ["active: hr 6", "email: zitadel 5", "username: gitlab 3", "mattermost? true 19"]
    );
    let ben = person(&[("hr", &[("active", false.into())])], vec![]);
    assert_eq!(own(&rules, &ben, &["username"]).unwrap(), ["username: mattermost 4", "mattermost? false 19"]);
}

#[test]
fn an_account_line_says_nothing_of_whom_nothing_is_known() {
    let rules = load(SAMPLE);
    assert_eq!(own(&rules, &person(&[], vec![]), &["email"]).unwrap(), ["email: zitadel 5"]);
}

#[test]
fn lines_without_a_condition_run_no_script() {
    let rules = load("owner(\"email\", \"zitadel\"); account(\"gitlab\");");
    let court = rules.own(&person(&[], vec![]), &Arc::new(BTreeSet::from([AttributeName::new("email")]))).unwrap();
    assert_eq!(court.accounts.len(), 1);
    assert!(court.accounts[&"gitlab".into()].wanted);
    assert!(rules.declared.functions.is_empty());
}

#[test]
fn a_condition_sees_decided_values_found_by_their_own_conditions() {
    let rules = load(
        r#"
        owner("username", "gitlab", |person| person.email.ends_with("@example.org") && person.active == true);
        owner("username", "mattermost");
        owner("email", "hr", |person| person.gitlab?.id != "42");
        owner("email", "zitadel");
        owner("active", "hr");
    "#,
    );
    let said: &[(&str, Value)] = &[("email", "a@example.com".into()), ("active", true.into())];
    let zitadel = account("zitadel", &[("email", "a@example.org".into())], &[]);
    let gitlab = account("gitlab", &[], &[]);
    // A fresh statement asks for a change of what the provider owns: that is the value that counts.
    let asking = person(&[("hr", said)], vec![zitadel.clone(), gitlab.clone()]);
    assert_eq!(own(&rules, &asking, &["username"]).unwrap(), ["username: mattermost 3"]);
    let said: &[(&str, Value)] = &[("active", true.into())];
    let silent = person(&[("hr", said)], vec![zitadel, gitlab]);
    assert_eq!(own(&rules, &silent, &["username"]).unwrap(), ["username: gitlab 2"]);
}

#[test]
fn a_condition_sees_accounts_their_facts_and_what_a_source_said() {
    let rules = load(
        r#"
        owner("email", "gitlab", |person| person.gitlab.note == "vip" && person.gitlab["is_admin"]);
        owner("email", "mattermost", |person| person.hr?.department == "IT" && person.hr.id == "1" && person.website == ());
        owner("email", "zitadel", |person| person["gitlab"] != () && person.gitlab.email == ());
    "#,
    );
    let full = account("gitlab", &[("gitlab.note", "vip".into())], &[("is_admin", true.into())]);
    assert_eq!(own(&rules, &person(&[], vec![full]), &["email"]).unwrap(), ["email: gitlab 2"]);
    let empty = account("gitlab", &[("gitlab.note", "x".into()), ("email", Value::Empty)], &[]);
    let said: &[(&str, Value)] = &[("department", "IT".into())];
    assert_eq!(
        own(&rules, &person(&[("hr", said)], vec![empty.clone()]), &["email"]).unwrap(),
        ["email: mattermost 3"]
    );
    assert_eq!(own(&rules, &person(&[], vec![empty]), &["email"]).unwrap(), ["email: zitadel 4"]);
}

#[test]
fn an_answer_tells_what_its_own_condition_looked_at_and_nothing_else() {
    let rules = load(
        r#"
        owner("username", "gitlab", |person| person.gitlab?.note == "vip" && person.email.ends_with("@b"));
        owner("email", "hr", |person| person.website == ());
        account("gitlab", |person| person.mattermost?.auth_service);
        account("mattermost", |person| person.email == "x@b");
        account("zitadel");
    "#,
    );
    let said: &[(&str, Value)] = &[("email", "a@b".into())];
    let anna = person(&[("hr", said)], vec![account("gitlab", &[("gitlab.note", "vip".into())], &[])]);
    let wanted = Arc::new(BTreeSet::from([AttributeName::new("username"), AttributeName::new("email")]));
    let owned = rules.own(&anna, &wanted).unwrap();
    let note = |what: &str, value: Value| (what.to_owned(), value);
    let seen = |name: &str| owned.owners[&AttributeName::new(name)].looked_at.clone();
    assert_eq!(seen("username"), [note("gitlab.note", "vip".into()), note("email", "a@b".into())]);
    assert_eq!(seen("email"), [note("website", Value::Empty)]);
    let wish = |system: &str| owned.accounts.get(&system.into()).map(|it| it.looked_at.clone());
    assert_eq!(wish("gitlab"), None);
    assert_eq!(wish("mattermost"), Some(vec![note("email", "a@b".into())]));
    assert_eq!(wish("zitadel"), Some(Vec::new()));
    // The same where the other owner is looked for in between.
    let alone = rules.own(&anna, &Arc::new(BTreeSet::from([AttributeName::new("username")]))).unwrap();
    assert_eq!(alone.owners.values().next().map(|it| it.looked_at.len()), Some(2));
}

#[test]
fn what_one_person_was_answered_is_answered_to_whoever_shows_the_same_and_to_nobody_else() {
    let of_accounts = "account(\"mattermost\", |person| person.gitlab?.note == \"vip\" || person.active == true);\n";
    let plain = r#"
        owner(["username", "department", "active"], "hr");
        account("gitlab", |person| person.department == "IT" && person.active == true);
        account("zitadel", |person| today() != "2026-11-20" && person.active == true);
    "#;
    let of_names = r#"account("mattermost", |person| person.username.ends_with("7"));"#;
    let of_ids = "account(\"mattermost\", |person| person.gitlab?.id == \"7\");\n";
    let of_sets = r#"account("mattermost", |person| person.mattermost != () && "staff" in person.mattermost.teams);"#;
    let of_sources = "account(\"mattermost\", |person| person.hr?.department == \"IT\");\n";
    // Who owns the email decides which one counts, and that decides about an account.
    let of_owners = r#"
        owner("email", "mattermost", |person| person.mattermost?.auth_service == ());
        owner("email", "gitlab", |person| person.gitlab != () && person.active == true);
        owner("email", "hr");
        account("mattermost", |person| person.email == "vip@b");
    "#;
    let all = Arc::new(BTreeSet::from(["username", "department", "active", "email"].map(AttributeName::new)));
    let everybody = |number: usize| {
        let name = format!("p{number}");
        let said = [
            ("username", Some(Value::text(&name))),
            ("department", [None, Some("IT".into()), Some("Care".into()), Some(Value::Empty)][number % 4].clone()),
            ("active", [Some(true.into()), Some(false.into()), None][number % 3].clone()),
        ];
        let said: Vec<(&str, Value)> = said.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let note = if number.is_multiple_of(5) { "vip" } else { "x" };
        let email = Value::text(&format!("{note}@b"));
        let held: &[(&str, Value)] = &[("gitlab.note", note.into()), ("email", email)];
        let gitlab = number.is_multiple_of(2).then(|| account("gitlab", held, &[]));
        let service: &[(&str, Value)] = &[("auth_service", "gitlab".into())];
        let service = if number.is_multiple_of(7) { service } else { &[] };
        let in_team: &[(&str, Value)] = &[held[1].clone(), ("mattermost.teams[staff]", "member".into())];
        let held = if number.is_multiple_of(4) { in_team } else { &held[1..] };
        let mattermost = (!number.is_multiple_of(3)).then(|| account("mattermost", held, service));
        person(&[("hr", said.as_slice())], gitlab.into_iter().chain(mattermost).collect())
    };
    let less = Arc::new(BTreeSet::from([AttributeName::new("username")]));
    let days = [jiff::civil::date(2026, 11, 20), jiff::civil::date(2026, 11, 21), jiff::civil::date(2026, 11, 20)];
    // Where a condition looks at what nobody else has, or at what a source said, there is no precedent.
    let remembered = [("", true), (of_accounts, true), (of_owners, true)];
    let never = [of_names, of_ids, of_sets, of_sources].map(|more| (more, false));
    for (more, is_remembered) in remembered.into_iter().chain(never) {
        let script = &format!("{plain}{more}");
        for asked in [&all, &less] {
            let rules = load(script);
            for today in days {
                rules.see(today);
                let mut known = 0;
                for person in (0..60).map(everybody) {
                    let alone = load(script);
                    alone.see(today);
                    let ruling = alone.own(&person, asked).unwrap();
                    let precedent = rules.precedent(asked, |look| person.look(look));
                    assert!(precedent.as_ref().is_none_or(|known| *known == ruling), "{today} {person:?}");
                    known += usize::from(precedent.is_some());
                    assert_eq!(rules.own(&person, asked).unwrap(), ruling, "{today} {person:?}");
                }
                assert_eq!(known > 30, is_remembered, "{known} {script}");
            }
        }
    }
}

#[test]
fn what_was_answered_to_one_person_only_makes_way_for_what_many_are_answered() {
    let rules = load(
        r#"
        owner(["username", "active"], "hr");
        account("gitlab", |person| person.active == true || person.username.ends_with("7"));
    "#,
    );
    let asked = Arc::new(BTreeSet::from([AttributeName::new("username"), AttributeName::new("active")]));
    let known = |numbers: std::ops::Range<u32>, active: bool| {
        let known = numbers.filter(|number| {
            let said: &[(&str, Value)] = &[("username", Value::text(&format!("p{number}"))), ("active", active.into())];
            let person = person(&[("hr", said)], Vec::new());
            let is_known = rules.precedent(&asked, |look| person.look(look)).is_some();
            rules.own(&person, &asked).unwrap();
            is_known
        });
        known.count()
    };
    assert_eq!((known(0..40, false), known(40..80, true), known(80..90, false), known(90..100, true)), (0, 39, 0, 10));
}

#[test]
fn owners_that_depend_on_each_other_in_a_circle_are_named() {
    let rules = load(
        r#"
        owner("username", "gitlab", |person| person.email == "x");
        owner("email", "gitlab", |person| person.username == "x");
    "#,
    );
    assert_eq!(
        own(&rules, &person(&[], vec![]), &["email"]).unwrap_err(),
        "rules/people.rhai:2:53 [email] the owner of `email` → `username` → `email` depends on itself; \
         look at an account instead of the decided value, as in `person.gitlab?.username`"
    );
}

#[test]
fn an_unknown_name_on_a_person_or_an_account_is_an_error_with_a_suggestion() {
    let error = |condition: &str| {
        let rules = load(&format!("owner(\"email\", \"gitlab\", |person| {condition});"));
        let gitlab = account("gitlab", &[], &[]);
        own(&rules, &person(&[], vec![gitlab]), &["email"]).unwrap_err()
    };
    assert_eq!(
        error("person.usrname == 1"),
        "rules/people.rhai:1:42 [usrname] `person` has nothing called `usrname`; did you mean `username`?"
    );
    assert_eq!(
        error("person.matermost?.x == 1"),
        "rules/people.rhai:1:42 [matermost] `person` has nothing called `matermost`; did you mean `mattermost`?"
    );
    assert_eq!(
        error("person.gitlab.is_amin == 1"),
        "rules/people.rhai:1:49 [is_amin] an account of `gitlab` has nothing called `is_amin`; did you mean `is_admin`?"
    );
    assert_eq!(
        error("person.gitlab.salary == 1"),
        "rules/people.rhai:1:49 [salary] an account of `gitlab` has nothing called `salary`; \
         an account has attributes, facts and `id`"
    );
    assert_eq!(
        error("\"yes\""),
        "rules/people.rhai:1:1 [owner] the condition of `owner` must be true or false, or nothing (`()`), but is text; compare something, as in `|person| person.active == true`"
    );
    assert_eq!(
        error("person.active && true").split_once("] ").unwrap().1,
        "this must be true or false, but is nothing (`()`); () means that nothing is known: compare it, \
         as in `person.active == true`"
    );
}

#[test]
fn scripts_cannot_change_what_they_are_shown() {
    for body in ["row.id = \"2\"; #{ key: row.id }", "row[\"id\"] = \"2\"; #{ key: row.id }"] {
        let error = map(&format!("source(\"hr\", |row| {{ {body} }});"), &[("id", "1")]).unwrap_err();
        assert!(error.starts_with("rules/people.rhai:1:2"), "{error}");
    }
}

#[test]
fn every_mistake_of_a_declaration_is_shown_with_its_place_in_one_go() {
    let text = r#"
owner("usrname", "gitlab");
owner("email", "gitlap");
owner("email", "ldap");
owner(["email", 7], "gitlab");
owner([], "gitlab");
owner("department", "gitlab");
owner("email", "gitlab", true);
owner("email", "gitlab", |a, b| true);
copies("email", "hr");
source("gitlab", |row| #{});
source("hr", #{});
join("gitlab", "department");
account("website");
temporary("note", "gitlab");
join(["gitlab", "zitadel"], "email");
account(["gitlab"]);
owner("email", ["gitlab", "zitadel"]);
"#;
    assert_eq!(
        faults(text),
        [
            "rules/people.rhai:2:7 [\"usrname\"] unknown attribute `usrname`; did you mean `username`?",
            "rules/people.rhai:3:16 [\"gitlap\"] unknown system `gitlap`; did you mean `gitlab`?",
            "rules/people.rhai:4:16 [\"ldap\"] unknown system `ldap`; configured under [systems]: `gitlab`, `hr`, `mattermost`, `website`, `zitadel`",
            "rules/people.rhai:5:1 [owner] the attribute in `owner` must be text in quotes, but is a number",
            "rules/people.rhai:6:1 [owner] the attribute in `owner` must be named, but is an empty list",
            "rules/people.rhai:7:7 [\"department\"] `gitlab` does not hold `department`; only a system that holds `department` can own it or get a copy; `gitlab` has no place for it",
            "rules/people.rhai:8:1 [owner] the condition in `owner` must be a function `|person| ...`, but is true or false; a condition is a function, as in `|person| person.active == true`",
            "rules/people.rhai:9:1 [owner] the function for `owner` takes 2 arguments; it must take one; write it as `|person| …`; `owner` asks it for one person at a time",
            "rules/people.rhai:10:17 [\"hr\"] `hr` is not a provider; a provider is a system with accounts, such as one with `kind = \"gitlab\"`",
            "rules/people.rhai:11:8 [\"gitlab\"] `gitlab` is not a source; a source is a system that records come from, such as one with `kind = \"csv\"`",
            "rules/people.rhai:12:1 [source] what reads a record in `source` must be a function `|row| #{ ... }`, but is a map; as in `source(\"hr\", |row| #{ key: row.employee_id, email: row.email })`",
            "rules/people.rhai:13:16 [\"department\"] accounts of `gitlab` cannot be found by `department`; they can be found by `username`, `email`",
            "rules/people.rhai:14:9 [\"website\"] `website` is not a provider; a provider is a system with accounts, such as one with `kind = \"gitlab\"`",
            "rules/people.rhai:15:11 [\"note\"] unknown attribute `note`; an attribute of one system is written with its name in front: `gitlab.note`",
            "rules/people.rhai:16:1 [join] the system in `join` must be one name in quotes, but is a list; one line for each system",
            "rules/people.rhai:17:1 [account] the system in `account` must be one name in quotes, but is a list; one line for each system",
            "rules/people.rhai:18:1 [owner] the system in `owner` must be one name in quotes, but is a list; an attribute has one owner; others get it with a `copies` line",
        ]
    );
}

#[test]
fn one_attribute_with_two_unconditional_owners_is_shown_with_both_lines() {
    let files =
        [("a.rhai", "owner([\"email\", \"active\"], \"zitadel\");"), ("b.rhai", "\nowner(\"email\", \"gitlab\");")];
    let errors = load_files(&files).unwrap_err();
    assert_eq!(
        told(&errors),
        ["rules/b.rhai:2:1 [owner] `email` already has an owner (first owner: rules/a.rhai:1:1); \
          an attribute has one owner: keep one of these lines, or give the first a condition"]
    );
    assert_eq!(errors[0].second_source_text(), Some(files[0].1));
}

#[test]
fn declaring_the_same_twice_is_shown_with_both_lines() {
    let text = "join(\"gitlab\", \"email\");\njoin(\"gitlab\", \"username\");\ncopies(\"email\", \"gitlab\");\ncopies([\"username\", \"email\"], \"zitadel\");\naccount(\"gitlab\");\naccount(\"gitlab\");";
    assert_eq!(
        faults(text),
        [
            "rules/people.rhai:2:1 [join] a second `join` line for `gitlab` (the first one: rules/people.rhai:1:1); say it all in one line",
            "rules/people.rhai:4:1 [copies] a second `copies` line for `email` (the first one: rules/people.rhai:3:1); say it all in one line",
            "rules/people.rhai:6:1 [account] a second `account` line for `gitlab` (the first one: rules/people.rhai:5:1); say it all in one line",
        ]
    );
}

#[test]
fn an_owner_line_that_nobody_reaches_is_a_warning() {
    let rules = load("owner(\"email\", \"zitadel\");\nowner(\"email\", \"gitlab\", |person| person.active);");
    let found = rules.examine(&lint::Samples::new(), true).findings;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].code, found[0].place.as_ref().map(|it| it.origin.line)), ("unreachable_owner", Some(2)));
    assert_eq!(found[0].related.as_ref().map(|(place, _)| place.origin.line), Some(1));
}

#[test]
fn what_does_not_parse_and_what_is_not_known_is_shown_with_its_place() {
    for (text, wanted) in [
        ("ownr(\"email\", \"gitlab\");", "rules/people.rhai:1:1 [ownr] unknown function `ownr`; did you mean `owner`?"),
        (
            "route(1);",
            "rules/people.rhai:1:1 [route] what looks at a change in `route` must be a function `|change| ...`, but is a \
             number; it is a function, written in place: see the reference with `homeward docs`",
        ),
        (
            "let x = \"A\".to_lower();",
            "rules/people.rhai:1:13 [to_lower] unknown function `to_lower`; did you mean `lower`?",
        ),
        (
            "owner(\"email\");",
            "rules/people.rhai:1:1 [owner] `owner` cannot take text; \
             `owner` takes (attribute, system) or (attribute, system, |person| condition)",
        ),
        ("let x = 5; x.lower();", "rules/people.rhai:1:14 [lower] `lower` cannot take a number; `lower` takes (text)"),
        ("let x = (); x.len();", "rules/people.rhai:1:15 [len] `len` cannot take nothing (`()`); `len` takes (text)"),
        (
            "let x = 5 - \"a\";",
            "rules/people.rhai:1:11 [-] `-` cannot take a number and text; look at the types: a column of a record is always text",
        ),
        (
            "owner(email, \"gitlab\");",
            "rules/people.rhai:1:7 [email] unknown variable `email`; text is written in quotes: \"email\"; \
             a function sees its arguments and constants only",
        ),
        (
            "account(\"gitlab\", person.active);",
            "rules/people.rhai:1:19 [person] unknown variable `person`; \
             what looks at it is a function, with its name between bars: `|person| …`",
        ),
        (
            "let limit = 5;\nsource(\"hr\", |row| #{ key: limit });",
            "rules/people.rhai:2:28 [limit] unknown variable `limit`; \
             functions see constants only: write `const limit = ...` instead of `let`",
        ),
        (
            "const LIMIT = today();\nsource(\"hr\", |row| #{ key: LIMIT });",
            "rules/people.rhai:2:28 [LIMIT] unknown variable `LIMIT`; \
             functions see constants whose value is written out; compute this one inside the function",
        ),
        (
            "source(\"hr\", |row| #{ key: rwo.id });",
            "rules/people.rhai:1:28 [rwo] unknown variable `rwo`; did you mean `row`?",
        ),
        (
            "source(\"hr\", |row| #{ key: row.id, email: row.Dienst-Mail });",
            "rules/people.rhai:1:54 [Mail] unknown variable `Mail`; `-` subtracts; a column of such a name is read as \
             `row[\"Dienst-Mail\"]`",
        ),
        (
            "source(\"hr\", |row| #{ key: row.id, active: row.a == \"and\" and row.b == \"2\" });",
            "rules/people.rhai:1:59 [and] expecting ',' to separate the items of this object map literal; `and` is no word \
             here: conditions are put together with `&&` and `||`",
        ),
        (
            "source(\"hr\", |row| { if row.a == \"x\" or row.b == \"y\" { () } });",
            "rules/people.rhai:1:38 [or] expecting '{' to start a statement block; `or` is no word here: conditions are put \
             together with `&&` and `||`",
        ),
        (
            "source(\"hr\", |row| #{ key: row.id, active: row.status = \"in\" });",
            "rules/people.rhai:1:55 [=] expecting '}' to end this object map literal; `=` gives a variable a value; to \
             compare, write `==`",
        ),
        (
            "const NAME = \"A\".lowercase();",
            "rules/people.rhai:1:18 [lowercase] unknown function `lowercase`; did you mean `lower`?",
        ),
        (
            "loop { }",
            "rules/people.rhai:1:6 [{] the rule does not come to an end; a rule has to be short work: look for a loop that does not end",
        ),
        (
            "throw \"stop\";",
            "rules/people.rhai:1:1 [throw] the rule says: stop; the rule stops here by itself: look at what it was given, \
             or at the rule",
        ),
    ] {
        assert_eq!(faults(text), [wanted], "{text}");
    }
    let error = faults("owner(\"email\", \"gitlab\"").remove(0);
    assert!(error.starts_with("rules/people.rhai:1:"), "{error}");
}

#[test]
fn a_declaration_inside_of_a_function_that_runs_later_is_refused() {
    let error = map("source(\"hr\", |row| { owner(\"email\", \"gitlab\"); });", &[("id", "1")]).unwrap_err();
    assert_eq!(
        error,
        "rules/people.rhai:1:22 [owner] `owner` is a declaration: it stands outside of functions that run for a record \
         or a person on hr.csv:7; move it to the top level of the file"
    );
}

#[test]
fn a_rule_that_runs_for_ever_on_a_record_is_stopped_and_the_next_record_is_read() {
    let rules = load("source(\"hr\", |row| { if row.id == \"1\" { loop { } } #{ key: row.id } });");
    let error = rules.map(&"hr".into(), &record(&[("id", "1")])).unwrap_err();
    assert!(matches!(error.fault(), Fault::LimitExceeded(_)), "{error:?}");
    assert!(rules.map(&"hr".into(), &record(&[("id", "2")])).unwrap().is_some());
}

#[test]
fn files_that_cannot_be_read_as_scripts_are_named() {
    let long = format!("// {}", "x".repeat(MAX_SCRIPT));
    let errors = load_files(&[("a.rhai", &long)]).unwrap_err();
    assert_eq!(
        told(&errors)[0].split(';').next(),
        Some("nowhere [] `rules/a.rhai` has 65539 bytes; a script may have 65536".split(';').next().unwrap())
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b.rhai"), b"\xff").unwrap();
    let today = jiff::civil::date(2026, 11, 20);
    let errors = RuleSet::load(folder.path(), "rules", &known(), today).unwrap_err();
    assert_eq!(told(&errors), ["nowhere [] `rules/b.rhai` is not UTF-8; save the file as UTF-8"]);
    let errors = RuleSet::load(&folder.path().join("absent"), "rules", &known(), today).unwrap_err();
    assert!(matches!(errors[0].fault(), Fault::Read { .. }));
}

#[test]
fn a_mark_in_front_of_the_text_is_no_part_of_it() {
    assert_eq!(load("\u{feff}owner(\"email\", \"gitlab\");").policy().owners[0].origin.column, 1);
}

#[test]
fn every_listed_word_is_a_word_and_has_its_arguments() {
    for word in words() {
        let errors = faults(&format!("{}(1, 2, 3, 4, 5, 6, 7);", word.name));
        let wanted = format!("`{}` takes {}", word.name, word.signature);
        assert!(errors[0].ends_with(&wanted), "{}: {errors:?}", word.name);
    }
    let names: BTreeMap<_, _> = words().into_iter().map(|it| (it.name, it.meaning)).collect();
    assert!(names.values().all(|meaning| meaning.ends_with('.')));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]

    #[test]
    fn no_text_makes_the_loader_panic(text in "\\PC{0,80}") {
        let _ = load_files(&[("people.rhai", &text)]);
    }

    #[test]
    fn no_damage_to_a_good_script_makes_the_loader_panic(at in 0..SAMPLE.len(), length in 0..20_usize, put in "[(){}|\"#;.,?a-z\n]{0,3}") {
        let mut text = SAMPLE.to_owned();
        text.replace_range(at..(at + length).min(text.len()), &put);
        for error in load_files(&[("people.rhai", &text)]).err().unwrap_or_default() {
            proptest::prop_assert!(!tell(&error).is_empty());
        }
    }

    #[test]
    fn no_field_makes_a_rule_panic(field in "\\PC{0,40}") {
        let rules = load("source(\"hr\", |row| #{ key: row.id.trim().title().slug(\"de\"), email: row.id.ascii().replace(row.id, \"x\"), \
            phone: row.id.before(row.id) + row.id.sub_string(-3, 2), nickname: row.id.split(row.id)[0] });");
        let _ = rules.map(&"hr".into(), &record(&[("id", &field)]));
    }
}

#[test]
fn what_values_are_held_against_is_told_by_their_names_and_no_other_text_is() {
    let rules = load(
        r#"
        const STAFF = ["internal", "intern"];
        fn post(change) { switch change.person.position { "Head" => hold("who is the head?"), _ => () } }
        owner("email", "gitlab", |person| person.gitlab?.state == "active");
        owner("nickname", "mattermost", |person| person.mattermost?.auth_service in ["saml", "ldap"]);
        account("zitadel", |person| { let kind = person.last_name; person.active && kind != "Bot" });
        route(|change| post(change));
        const KINDS = #{ few: ["guest"] };
        fn is_kind(value, kind) { value == kind }
        route(|change| if change.to == "Chief" || is_kind(change.person.username, "root") { hold("look") });
        source("hr", |row| #{ key: row.id, position: row.job + " (" + row.town + ")", active: row.ends.date("%d.%m.%Y") > "2026-01-01" });
        "#,
    );
    let told: Vec<String> = rules
        .compared()
        .into_iter()
        .map(|(name, texts)| format!("{name}: {}", texts.into_iter().collect::<Vec<_>>().join(", ")))
        .collect();
    assert_eq!(
        told,
        [
            ": Bot, Chief, guest, intern, internal, root",
            "auth_service: ldap, saml",
            "ends: 2026-01-01",
            "position: Head",
            "state: active",
        ]
    );
}
