//! What happens between a plan and its end: tokens that end meanwhile, runs that are finished later or taken back.

use serde_json::json;

use crate::{
    chat::{Chat, held, key, second, token},
    common::journey::outcomes,
};

const FILE: &str = "{ per_person = { file = \"tokens.json\" } }";

#[test]
fn a_token_that_ends_between_plan_and_apply_stops_only_its_own_call_and_resume_finishes_it() {
    let chat = Chat::new(FILE, &[]);
    chat.form(&[("ann", "A"), ("ben", "B"), ("cyd", "C")]);
    chat.json(0, &["plan", "web=form.csv", "--out", "plan.json"]);
    let tokens =
        |ann: String| [(key("ann"), json!(ann)), (key("ben"), json!(token("ben"))), (key("cyd"), json!(token("cyd")))];
    chat.keep(&tokens("c4nary-of-nobody".to_owned()));
    let report = chat.json(7, &["apply", "--yes", "plan.json"]);
    let all = outcomes(&report);
    assert_eq!(all[1..], ["done", "done"]);
    assert!(all[0].to_string().contains("she must sign in again"), "{all:?}");
    assert_eq!((chat.nickname("ann"), chat.nickname("ben")), (json!(""), json!("B")));

    chat.keep(&tokens(second("ann")));
    chat.json(0, &["resume", "1"]);
    assert_eq!(chat.nickname("ann"), "A");
}

#[test]
fn an_undo_goes_with_the_same_tokens_and_holds_whose_has_ended() {
    let chat = Chat::new(FILE, &[]);
    chat.form(&[("ann", "A"), ("ben", "B")]);
    chat.json(0, &["apply", "--yes", "web=form.csv"]);
    chat.keep(&[(key("ann"), json!(token("ann"))), (key("ben"), json!("c4nary-of-nobody"))]);
    chat.json(4, &["undo", "1", "--out", "undo.json", "--yes"]);
    let plan: serde_json::Value = serde_json::from_str(&chat.world.read("undo.json")).unwrap();
    let reason = "the token kept for web/2 is not accepted by chat any more: she must sign in again at ";
    assert_eq!(held(&plan), [format!("{reason}{}", chat.world.url("chat"))]);
    assert_eq!((chat.nickname("ann"), chat.nickname("ben")), (json!(""), json!("B")));
}

#[test]
fn a_sign_out_everywhere_is_noticed_by_whom_it_concerns() {
    let chat = Chat::new(FILE, &[]);
    chat.form(&[("ann", "A"), ("ben", "B")]);
    chat.sign_out("ben");
    assert_eq!(outcomes(&chat.json(4, &["apply", "--yes", "web=form.csv"])), ["done"]);
    assert_eq!((chat.nickname("ann"), chat.nickname("ben")), (json!("A"), json!("")));
}

#[test]
fn whoever_asks_for_nothing_is_not_looked_at() {
    let chat = Chat::new(FILE, &[]);
    chat.world.write(
        "homeward.toml",
        chat.world.read("homeward.toml").replace("says = \"state\"", "says = \"changes\"").as_bytes(),
    );
    chat.form(&[("ann", "A"), ("ben", "B")]);
    chat.json(0, &["apply", "--yes", "web=form.csv"]);
    chat.form(&[("ann", "A"), ("ben", "New")]);
    chat.world.forget(&["chat"]);
    let plan = chat.json(0, &["plan", "web=form.csv"]);
    assert_eq!(plan["calls"].as_array().unwrap().len(), 1);
    assert_eq!(chat.world.asked("chat"), ["GET /api/v4/users/me"]);
}

#[test]
fn a_token_kept_under_a_name_of_another_source_is_found_by_the_tie() {
    let chat = Chat::new(FILE, &[]);
    let config = chat.world.read("homeward.toml");
    let config = format!("{config}\n[systems.hr]\nkind = \"csv\"\nkey = \"id\"\ncoverage = \"partial\"\n");
    chat.world.write("homeward.toml", config.as_bytes());
    let rules = chat.world.read("rules/people.rhai").replace("\"position\"], \"web\"", "\"locale\"], \"web\"");
    let hr = "owner(\"position\", \"hr\");\nsource(\"hr\", |row| #{ key: row.id, email: row.email, position: row.position });\n";
    chat.world.write("rules/people.rhai", format!("{rules}{hr}").as_bytes());
    chat.form(&[("ann", "A")]);
    let staff = |position: &str| format!("id,email,position\n77,ann@example.com,{position}\n");
    chat.world.write("staff.csv", staff("Staff").as_bytes());
    let tokens = [(key("ann"), json!(token("ann"))), ("hr/77".to_owned(), json!(token("ann")))];
    chat.keep(&tokens);
    // Both tokens open one account, so they are one person's.
    chat.json(0, &["apply", "--yes", "web=form.csv", "hr=staff.csv"]);
    for (at, left) in tokens.into_iter().enumerate() {
        chat.keep(std::slice::from_ref(&left));
        let position = format!("Lead {at}");
        chat.world.write("staff.csv", staff(&position).as_bytes());
        assert_eq!(outcomes(&chat.json(0, &["apply", "--yes", "hr=staff.csv"])), ["done"], "{}", left.0);
        assert_eq!(chat.world.user("chat", "username", "ann")["position"], position);
    }
}

#[test]
fn the_service_uses_the_tokens_that_are_kept_when_a_file_comes() {
    let chat = Chat::new(FILE, &["ben"]);
    let watched = "says = \"state\"\nfolder = \"drop\"\npattern = \"form*.csv\"\ncoverage = \"partial\"";
    let config = chat.world.read("homeward.toml").replace("says = \"state\"", watched);
    chat.world.write("homeward.toml", config.as_bytes());
    let drop_in = |name: &str, people: &[(&str, &str)]| {
        chat.form(people);
        let form = chat.world.read("form.csv");
        chat.world.write(&format!("drop/{name}"), form.as_bytes());
    };
    // The first list of a feed that asks for something waits for somebody to look at it.
    chat.form(&[("ann", "")]);
    chat.json(0, &["apply", "--yes", "web=form.csv"]);
    drop_in("form0.csv", &[("ann", "")]);
    assert_eq!(chat.run(&["watch", "--once", "--apply"]).status, 0);
    drop_in("form1.csv", &[("ann", "A"), ("ben", "B")]);
    let ran = chat.run(&["watch", "--once", "--apply", "-vv"]);
    assert_eq!((chat.nickname("ann"), chat.nickname("ben")), (json!("A"), json!("")), "{}{}", ran.stdout, ran.stderr);
    chat.keep(&[(key("ann"), json!(token("ann"))), (key("ben"), json!(second("ben")))]);
    drop_in("form2.csv", &[("ann", "Ann"), ("ben", "B")]);
    let ran = chat.run(&["watch", "--once", "--apply", "-vv"]);
    assert_eq!(chat.nickname("ben"), json!("B"), "{}{}", ran.stdout, ran.stderr);
}
