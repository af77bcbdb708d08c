//! The program against the simulated server: planning, applying, limits, and credentials that are wrong.

use serde_json::{Value, json};

use super::{
    common::{Ran, World, in_one_line},
    server::{USERS, anna},
};

const RULES: &str = r#"
owner(["display_name", "email", "phone", "cloud.role", "cloud.quota", "active", "username", "cloud.groups"], "hr");
copies(["display_name", "email", "phone", "cloud.role", "cloud.quota", "username", "cloud.groups"], "cloud");
join("cloud", ["username", "email"]);
account("cloud", |person| person.active);
range("cloud.groups", ["staff", "crew"]);
source("hr", |row| #{
    key: row.id,
    username: row.username,
    email: row.email,
    display_name: row.name,
    phone: row.phone,
    "cloud.role": row.role,
    "cloud.quota": row.quota,
    "cloud.groups": if row.groups == "" { [] } else { row.groups.split("+") },
    active: row.active == "yes",
});
"#;

const HEADER: &str = "id,username,email,name,phone,role,quota,groups,active\n";

/// A project whose HR owns everything there.
fn world(seed: &Value, options: &str, people: &str) -> World {
    let config = format!(
        "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\n\n[systems.cloud]\nkind = \"nextcloud\"\nurl = \"https://c.example.com\"\n\
         username = \"homeward\"\ntoken = {{ env = \"TOKEN\" }}\n{options}"
    );
    let mut seed = seed.clone();
    seed["groups"] = json!(["staff", "crew"]);
    let mut world = World::new()
        .file("homeward.toml", &config)
        .file("rules/all.rhai", RULES)
        .file("lab/cloud.json", &seed.to_string())
        .file("people.csv", &format!("{HEADER}{people}"));
    world.start_lab(&[]);
    world
}

fn writes(world: &World) -> Vec<String> {
    world.asked("cloud").into_iter().filter(|asked| !asked.starts_with("GET")).collect()
}

#[track_caller]
fn expect(status: i32, ran: &Ran) {
    assert_eq!(ran.status, status, "\n{}\n{}", ran.stdout, ran.stderr);
}

#[test]
fn accounts_are_made_changed_moved_and_switched_off_and_then_there_is_nothing_to_do() {
    let seed = json!({ "users": [anna(), { "id": "bea", "email": "bea@example.com", "groups": ["crew"] }] });
    let people = "1,anna,Anna@Example.com,Anna Meyer,+41 79 123 45 67,Chef,6 GB,staff+crew,yes\n\
                  2,bea,bea@example.com,Bea,,,none,,no\n\
                  3,new,new@example.com,Nele Neu,+41 31 123 45 67,Cook,5 GB,staff,yes\n";
    let world = world(&seed, "", people);
    let planned = world.homeward(&["--lab", "plan", "hr=people.csv"]);
    expect(0, &planned);
    let all = |query: &str| format!("{query}?format=json");
    expect(4, &world.homeward(&["--lab", "apply", "--yes", "hr=people.csv"]));
    let mut sent = writes(&world);
    sent.sort();
    let mut expected = vec![
        format!("POST {}", all(USERS)),
        format!("POST {}", all(&format!("{USERS}/anna/groups"))),
        format!("DELETE {}", all(&format!("{USERS}/bea/groups"))),
        format!("PUT {}", all(&format!("{USERS}/bea/disable"))),
    ];
    expected.extend(std::iter::repeat_n(format!("PUT {}", all(&format!("{USERS}/anna"))), 3));
    expected.push(format!("PUT {}", all(&format!("{USERS}/bea"))));
    expected.sort();
    assert_eq!(sent, expected);
    // What a new account cannot begin with comes with the next run.
    expect(0, &world.homeward(&["--lab", "apply", "--yes", "hr=people.csv"]));
    let again = world.homeward(&["--lab", "plan", "--detailed-exitcode", "hr=people.csv"]);
    expect(0, &again);
    let users = world.state("cloud")["users"].clone();
    assert_eq!(users["anna"]["groups"], json!(["crew", "staff"]));
    assert_eq!(
        (&users["new"]["profile"]["phone"], &users["new"]["groups"]),
        (&json!("+41311234567"), &json!(["staff"]))
    );
    assert_eq!((&users["bea"]["enabled"], &users["bea"]["groups"]), (&json!(false), &json!([])));
}

#[test]
fn what_a_directory_would_write_over_is_not_sent_and_the_plan_says_where_it_belongs() {
    let seed =
        json!({ "users": [{ "id": "lou", "backend": "LDAP", "email": "lou@example.com", "displayname": "Lou" }] });
    let world = world(&seed, "", "1,lou,lou.new@example.com,Lou New,,,none,,yes\n");
    let planned = world.homeward(&["--lab", "plan", "hr=people.csv"]);
    expect(0, &planned);
    let said = in_one_line(&planned.stdout);
    for words in [
        "the display name of this account comes from LDAP",
        "the change of `email` is undone at the next LDAP synchronisation or sign-in",
    ] {
        assert!(said.contains(words), "{said}");
    }
    expect(4, &world.homeward(&["--lab", "apply", "--yes", "hr=people.csv"]));
    assert_eq!(writes(&world), Vec::<String>::new());
}

#[test]
fn what_local_people_sign_in_with_can_be_said_and_the_plan_tells_what_would_be_undone() {
    let pia = json!({ "id": "pia", "oidc": true, "email": "pia@example.com", "displayname": "Pia", "role": "Cook" });
    let people = "1,pia,pia.new@example.com,Pia New,,Cook,none,,yes\n";
    let world = world(&json!({ "users": [pia] }), "local_sign_in = \"oidc\"\n", people);
    let planned = world.homeward(&["--lab", "plan", "hr=people.csv"]);
    expect(0, &planned);
    let said = in_one_line(&planned.stdout);
    for name in ["email", "display_name"] {
        let words = format!("the change of `{name}` is undone at the next sign-in through OpenID Connect");
        assert!(said.contains(&words), "{said}");
    }
    expect(4, &world.homeward(&["--lab", "apply", "--yes", "hr=people.csv"]));
    assert_eq!(writes(&world), Vec::<String>::new());
}

#[test]
fn a_new_account_whose_mail_could_not_be_sent_is_made_once_and_found_again() {
    let seed = json!({ "settings": { "mail_fails": true } });
    let world = world(&seed, "", "3,new,new@example.com,Nele Neu,,,5 GB,,yes\n");
    expect(0, &world.homeward(&["--lab", "apply", "--yes", "hr=people.csv"]));
    expect(0, &world.homeward(&["--lab", "plan", "--detailed-exitcode", "hr=people.csv"]));
    assert_eq!(writes(&world), [format!("POST {USERS}?format=json")]);
    assert_eq!(world.state("cloud")["users"]["new"]["displayname"], "Nele Neu");
}

#[test]
fn a_rename_is_refused_for_good_with_what_would_help() {
    let seed = json!({ "users": [anna()] });
    let world = world(&seed, "", "1,anne,anna@example.com,Anna Berg,+41791234567,Cook,5 GB,staff,yes\n");
    let planned = world.homeward(&["--lab", "plan", "hr=people.csv"]);
    let said = in_one_line(&planned.stdout);
    assert!(
        said.contains("refuse username cloud anna → anne unsupported: Nextcloud never changes a user id"),
        "{said}"
    );
    assert!(said.contains("change `display_name`, which is what people see"), "{said}");
    expect(4, &world.homeward(&["--lab", "apply", "--yes", "hr=people.csv"]));
    assert_eq!(writes(&world), Vec::<String>::new());
}

/// So many people whose names change.
fn crowd(count: usize) -> (Value, String) {
    let users: Vec<Value> = (0..count)
        .map(|at| json!({ "id": format!("p{at}"), "email": format!("p{at}@example.com"), "displayname": "Old" }))
        .collect();
    let rows = (0..count).map(|at| format!("{at},p{at},p{at}@example.com,New {at},,,none,,yes\n"));
    (json!({ "users": users }), rows.collect())
}

#[test]
fn a_plan_with_more_edits_than_fit_says_how_long_it_takes_and_because_of_what() {
    let (seed, people) = crowd(120);
    let world = world(&seed, "", &people);
    let planned = world.homeward(&["--lab", "plan", "hr=people.csv"]);
    expect(0, &planned);
    let said = format!("{}{}", planned.stdout, planned.stderr);
    assert!(said.contains("Carrying it out takes about 20 min, bounded by cloud (50 requests in 10 min)"), "{said}");
}

#[test]
fn more_than_the_limit_allows_is_waited_for_and_never_turned_away() {
    let (mut seed, people) = crowd(12);
    seed["settings"] = json!({ "edit_limit": { "limit": 12, "period_ms": 600_000 } });
    let world = world(&seed, "edits = 12\n", &people);
    expect(0, &world.homeward(&["--lab", "apply", "--yes", "hr=people.csv"]));
    let answered = world.lab("cloud", "GET", "requests", &Value::Null);
    assert!(answered.as_array().unwrap().iter().all(|asked| asked["status"] == 200), "{answered}");
    // One more would have to wait for ten minutes, which is more time than the run has.
    let (_, people) = crowd(12);
    world.write("people.csv", format!("{HEADER}{}", people.replace("New", "Newer")).as_bytes());
    let config = world.read("homeward.toml") + "\n[apply]\ntime = \"1s\"\n";
    world.write("homeward.toml", config.as_bytes());
    world.lab("cloud", "DELETE", "requests", &Value::Null);
    world.homeward(&["--lab", "apply", "--yes", "hr=people.csv"]);
    let turned_away = world.lab("cloud", "GET", "requests", &Value::Null);
    let turned_away = turned_away.as_array().unwrap().iter().filter(|asked| asked["status"] == 429).count();
    // The first run's edits are nobody's to know here: one of them finds out, and the others wait.
    assert!((1..=4).contains(&turned_away), "{turned_away}");
}

#[test]
fn one_wrong_password_ends_the_run_and_nothing_else_is_asked() {
    let (seed, people) = crowd(30);
    let world = world(&seed, "", &people).variable("TOKEN", "wrong-wrong-wrong");
    let url = world.url("cloud");
    let config = world.read("homeward.toml").replace("https://c.example.com", &url);
    world.write("homeward.toml", config.as_bytes());
    let ran = world.homeward(&["apply", "--yes", "hr=people.csv"]);
    expect(5, &ran);
    assert!(ran.stderr.contains("does not accept our credentials"), "{}", ran.stderr);
    assert_eq!(world.state("cloud")["failed_sign_ins"], 1);
    assert_eq!(world.asked("cloud").iter().filter(|asked| asked.contains("/ocs/")).count(), 1);
}

#[test]
fn a_password_that_is_revoked_on_the_way_stops_the_run_before_anybody_is_locked_out() {
    let (seed, people) = crowd(30);
    let world = world(&seed, "", &people);
    let fault = json!({ "faults": [{ "kind": "expired", "when": "before", "at": 3, "times": 100 }] });
    world.lab("cloud", "POST", "chaos", &fault);
    let ran = world.homeward(&["--lab", "apply", "--yes", "hr=people.csv"]);
    // What was taken just before could not be looked at any more.
    assert!(matches!(ran.status, 7 | 8), "{}{}", ran.stdout, ran.stderr);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("further tries would lock us out"), "{said}");
    let asked = world.lab("cloud", "GET", "requests", &Value::Null);
    let refused = asked.as_array().unwrap().iter().filter(|asked| asked["status"] == 401).count();
    // As many as were under way together.
    assert!((1..=4).contains(&refused), "{refused}");
}

#[test]
fn check_tells_who_we_are_and_what_is_missing() {
    for (settings, said) in [
        (json!({}), "homeward (administrator)"),
        (json!({ "rights": "delegated" }), "homeward (administrator of users)"),
        (json!({ "rights": "group_admin" }), "accounts outside of the groups that our account there is an admin of"),
        (json!({ "rights": "person" }), "reading and changing accounts"),
    ] {
        let world = world(&json!({ "settings": settings }), "", "");
        let ran = world.homeward(&["--lab", "check", "--connect"]);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains(said), "{told}");
    }
}

#[test]
fn a_bearer_token_needs_no_login() {
    let seed = json!({ "users": [anna()] });
    let world = world(&seed, "", "1,anna,anna@example.com,Anna Meyer,+41791234567,Cook,5 GB,staff,yes\n");
    let config = world.read("homeward.toml").replace("username = \"homeward\"\n", "");
    world.write("homeward.toml", config.as_bytes());
    expect(0, &world.homeward(&["--lab", "apply", "--yes", "hr=people.csv"]));
    assert_eq!(world.state("cloud")["users"]["anna"]["displayname"], "Anna Meyer");
}

#[test]
fn an_account_among_many_is_found_by_its_address_in_other_letters() {
    let mut users: Vec<Value> = (0..130).map(|at| json!({ "id": format!("p{at}"), "broken": at == 77 })).collect();
    users[77]["email"] = "Odd.One@example.com".into();
    let world = world(&json!({ "users": users }), "", "1,,odd.one@EXAMPLE.com,Odd One,,,none,,yes\n");
    let rules = RULES.replace("    username: row.username,\n", "");
    world.write("rules/all.rhai", rules.as_bytes());
    expect(0, &world.homeward(&["--lab", "apply", "--yes", "hr=people.csv"]));
    assert_eq!(world.state("cloud")["users"]["p77"]["displayname"], "Odd One");
}
