//! A company of three providers, and one day's list from HR that means two hundred calls.
//!
//! Everything that a plan can be made of is in it: names that are freed and taken in a chain, plain updates, creations,
//! people who leave, memberships of two kinds, and operations, both those that may be repeated and those that may not.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::common::World;

pub(crate) const SYSTEMS: [&str; 3] = ["gitlab", "mattermost", "zitadel"];

/// How many calls the plan has.
pub(crate) const CALLS: usize = 200;

/// People who are known everywhere.
const KNOWN: usize = 58;

/// Those and the ones who are new.
const ALL: usize = 65;

const CONFIG: &str = r#"
[systems.hr]
kind = "csv"
key = "employee_id"
coverage = "partial"
says = "state"

[systems.gitlab]
kind = "gitlab"
url = "https://git.example.com"
token = { env = "GITLAB_TOKEN" }

[systems.mattermost]
kind = "mattermost"
url = "https://chat.example.com"
token = { env = "MATTERMOST_TOKEN" }

[systems.zitadel]
kind = "zitadel"
url = "https://id.example.com"
token = { env = "ZITADEL_TOKEN" }
organization = "org1"

"#;

/// Limits that let the whole day pass.
pub(crate) const WIDE: &str = "[limits]\nchanges = \"100%\"\nremovals = { share = \"100%\" }\n";

/// Limits that stop it, for somebody to approve.
pub(crate) const NARROW: &str = "[limits]\nchanges = \"10%\"\n";

/// The list comes into a folder, and a service looks after it.
const FOLDER: &str = "folder = \"drop\"\nquiet = { looks = 1, time = \"1ms\" }\nlook_every = \"200ms\"\n";

/// How the same company is told of its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// By a command, with these limits.
    ByHand(&'static str),
    /// By a folder.
    ByFeed,
}

const RULES: &str = r#"
owner(["username", "email", "first_name", "last_name", "display_name", "active"], "hr");
owner(["gitlab.groups", "mattermost.teams"], "hr");
copies(["username", "email"], ["gitlab", "mattermost", "zitadel"]);
copies(["first_name", "last_name"], ["mattermost", "zitadel"]);
copies("display_name", ["gitlab", "zitadel"]);
copies("gitlab.groups", "gitlab");
copies("mattermost.teams", "mattermost");
range("gitlab.groups", ["platform"]);
range("mattermost.teams", ["guild"]);
source("hr", |row| [
    #{
        key: row.employee_id,
        username: row.username,
        email: row.email,
        first_name: row.first_name,
        last_name: row.last_name,
        display_name: row.first_name + " " + row.last_name,
        active: row.status == "Active",
        "gitlab.groups": if row.platform == "yes" { #{ "platform": "developer" } } else { clear() },
        "mattermost.teams": if row.platform == "yes" { ["guild"] } else { [] },
    },
    if row.news != "" { perform("mattermost", "post_message", #{ channel: "crew/town-square", text: row.news }) },
    if row.tools == "yes" { perform("gitlab", "add_member", #{ group: "tools", access: "reporter" }) },
    if row.tools == "yes" { perform("zitadel", "lock") },
    if row.tools == "yes" { perform("mattermost", "revoke_sessions", #{}) },
]);
for system in ["gitlab", "mattermost", "zitadel"] {
    join(system, ["email", "username"]);
    account(system, |person| person.active);
}
"#;

/// The company as it is before anything is done, without a lab yet.
pub(crate) fn company(told: Told) -> World {
    let config = match told {
        Told::ByHand(limits) => format!("{CONFIG}{limits}"),
        Told::ByFeed => {
            format!("{}{WIDE}", CONFIG.replace("says = \"state\"\n", &format!("says = \"state\"\n{FOLDER}")))
        }
    };
    let rules = match told {
        Told::ByHand(_) => RULES.to_owned(),
        // Whoever plans anew finds people locked who shall be active, and lets them in again.
        Told::ByFeed => RULES.replace("perform(\"zitadel\", \"lock\")", "()"),
    };
    let given = |number: usize| format!("Given{number}");
    let email = |number: usize| format!("p{number}@example.com");
    let gitlab = |number: usize| {
        json!({ "id": 1000 + number, "username": format!("old{number}"), "name": format!("Given{number} Family{number}"),
            "email": email(number) })
    };
    let mattermost = |number: usize| {
        json!({ "id": format!("{:0<26}", format!("user{number}x")), "username": format!("old{number}"),
            "email": email(number), "first_name": given(number), "last_name": format!("Family{number}") })
    };
    let zitadel = |number: usize| {
        json!({ "id": (500 + number).to_string(), "organization": "org1", "username": format!("old{number}"),
            "first_name": given(number), "last_name": format!("Family{number}"),
            "display_name": format!("Given{number} Family{number}"), "email": email(number), "email_verified": true })
    };
    let all = |user: &dyn Fn(usize) -> Value| (1..=KNOWN).map(user).collect::<Vec<_>>();
    let groups = json!([{ "id": 7, "path": "platform" }, { "id": 8, "path": "tools" }]);
    let teams = json!([{ "name": "crew" }, { "name": "guild" }]);
    let organizations = json!([{ "id": "org1", "name": "Example" }]);
    World::new()
        .file("homeward.toml", &config)
        .file("rules/people.rhai", &rules)
        .file("people.csv", &people())
        .file("lab/gitlab.json", &json!({ "users": all(&gitlab), "groups": groups }).to_string())
        .file("lab/mattermost.json", &json!({ "users": all(&mattermost), "teams": teams }).to_string())
        .file("lab/zitadel.json", &json!({ "users": all(&zitadel), "organizations": organizations }).to_string())
}

const HEADER: &str = "employee_id,first_name,last_name,email,username,status,platform,news,tools\n";

/// A list of one person who is everywhere as it says: the first that a feed is shown.
pub(crate) fn first_list() -> String {
    format!("{HEADER}{KNOWN},Given{KNOWN},Family{KNOWN},p{KNOWN}@example.com,old{KNOWN},Active,,,\n")
}

fn people() -> String {
    let mut text = HEADER.to_owned();
    for number in 1..=ALL {
        // Each of a dozen takes the name that the next one leaves.
        let username = match number {
            1..=11 => format!("old{}", number + 1),
            12..=18 => format!("renamed{number}"),
            _ if number > KNOWN => format!("new{number}"),
            _ => format!("old{number}"),
        };
        let last_name =
            if (19..=38).contains(&number) { format!("Married{number}") } else { format!("Family{number}") };
        let status = if (39..=44).contains(&number) { "Left" } else { "Active" };
        let platform = if (45..=52).contains(&number) { "yes" } else { "" };
        let tools = if (53..=58).contains(&number) { "yes" } else { "" };
        let news = if (45..=57).contains(&number) { format!("hello {number}") } else { String::new() };
        writeln!(
            text,
            "{number},Given{number},{last_name},p{number}@example.com,{username},{status},{platform},{news},{tools}"
        )
        .unwrap();
    }
    text
}
