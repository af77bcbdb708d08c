//! `homeward explain`: what it answers, from inputs, from a saved plan and from a past run.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test, in a helper too")]

use crate::common::World;
use serde_json::Value;

/// The example of a rename on the website, after the website was seen for the first time.
fn renamed() -> World {
    let mut world = World::example("rename-through-gitlab");
    world.start_lab(&[]);
    assert_eq!(world.homeward(&["--lab", "apply", "--yes", "website=before.csv"]).status, 0);
    world
}

/// Everything a run gave, as one text.
fn shown(world: &World, arguments: &[&str]) -> String {
    let ran = world.homeward(arguments);
    let text = format!("{}-- stderr\n{}-- exit {}", ran.stdout, ran.stderr, ran.status);
    regex::Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
        .unwrap()
        .replace_all(&text, "[TIME..............]")
        .into_owned()
}

fn json(world: &World, arguments: &[&str]) -> Value {
    let ran = world.homeward(arguments);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn each_cell_of_a_person_gets_an_answer_line() {
    insta::assert_snapshot!(shown(&renamed(), &["--lab", "explain", "anna", "website=after.csv"]), @r#"
    website/7  gitlab 42, mattermost bzxmqpiadzg9xtp5memxxu5hrq
    said by website (after.csv:2)

    email: anna@example.com  owned by website (rules/ownership.rhai:4:1)
      gitlab     ·      anna@example.com  website tells changes and shows the same as the last time
      mattermost ·      anna@example.com  website tells changes and shows the same as the last time
      website    says   anna@example.com  website owns it and says so

    username: anna.b  owned by gitlab (rules/ownership.rhai:2:1)
      gitlab     apply  anna → anna.b
                        gitlab owns `username` (rules/ownership.rhai:2:1: mattermost.auth_service is "gitlab")
      mattermost follow anna → anna.b
                        mattermost takes it from gitlab at the next sign-in through GitLab (a call of its own would be
                        refused, owned_elsewhere: the username of this account comes from GitLab; change it there)
      website    says   anna.b  website is a source: it speaks, and nothing is written to it
    -- stderr
    note: name an attribute to see everything about it, and what would change it
    -- exit 0
    "#);
}

#[test]
fn one_attribute_is_told_with_what_lost_and_what_would_change_it() {
    let world = renamed();
    insta::assert_snapshot!(shown(&world, &["--lab", "explain", "website/7", "username", "website=after.csv"]), @r#"
    website/7  gitlab 42, mattermost bzxmqpiadzg9xtp5memxxu5hrq
    said by website (after.csv:2)

    username: anna.b  owned by gitlab (rules/ownership.rhai:2:1)
      gitlab     apply  anna → anna.b
                        gitlab owns `username` (rules/ownership.rhai:2:1: mattermost.auth_service is "gitlab")
          call c1: PUT /api/v4/users/42
          asked by website (after.csv:2)
          rules/ownership.rhai:2:1  owner("username", "gitlab", |person| person.mattermost?.auth_service == "gitlab");
          also: the personal namespace and projects move; old addresses redirect until somebody takes them
          would not be done if `mattermost.auth_service` were empty (now "gitlab")
          would be refused if there were no account at gitlab
          would not be done if website said `username` is "anna" (it says "anna.b")
      mattermost follow anna → anna.b
                        mattermost takes it from gitlab at the next sign-in through GitLab (a call of its own would be
                        refused, owned_elsewhere: the username of this account comes from GitLab; change it there)
          asked by gitlab (after.csv:2)
          rules/ownership.rhai:2:1  owner("username", "gitlab", |person| person.mattermost?.auth_service == "gitlab");
          when: at the next sign-in through GitLab
          would be applied if `mattermost.auth_service` were empty (now "gitlab")
          would be refused if there were no account at mattermost
          nothing would be decided if there were no account at gitlab
      website    says   anna.b  website is a source: it speaks, and nothing is written to it
      decided by rules/ownership.rhai:2:1  owner("username", "gitlab", |person| person.mattermost?.auth_service ==
      "gitlab");: mattermost.auth_service is gitlab
      website (after.csv:2) says anna.b, which is a request to the owner
    -- stderr
    -- exit 0
    "#);
    insta::assert_snapshot!(shown(&world, &["--lab", "explain", "gitlab:43", "username", "website=after.csv"]), @r#"
    website/8  gitlab 43, mattermost e8as4nts4xg5m4q38cuiyrkade
    said by website (after.csv:3)

    username: ben  owned by mattermost (rules/ownership.rhai:3:1)
      gitlab     ·      ben.c  website tells changes and shows the same as the last time
          would be applied if website had shown another `username` the last time, and a `copies` line brought `username` to
          gitlab
      mattermost ·      ben  website tells changes and shows the same as the last time
          would be applied if website said `username` is "be2" (it says "ben")
      website    says   ben  website is a source: it speaks, and nothing is written to it
      did not hold: rules/ownership.rhai:2:1  owner("username", "gitlab", |person| person.mattermost?.auth_service ==
      "gitlab");: mattermost.auth_service is (empty)
      decided by rules/ownership.rhai:3:1  owner("username", "mattermost");
      website (after.csv:3) says ben, as the last time: nothing is asked for
    -- stderr
    -- exit 0
    "#);
}

#[test]
fn a_rule_that_fails_on_what_is_only_supposed_is_no_fault_of_hers() {
    let world = World::new();
    assert_eq!(world.homeward(&["init"]).status, 0);
    // Nobody is without `active` here, but for the one who is supposed to be.
    let rules = world.read("rules/people.rhai");
    let line = "account(\"gitlab\", |person| person.active);";
    assert!(rules.contains(line));
    world.write(
        "rules/people.rhai",
        rules.replace(line, "account(\"gitlab\", |person| person.active && person.username != \"x\");").as_bytes(),
    );
    let ran = world.homeward(&["--lab", "explain", "hr/1001", "username", "hr=people.csv"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("would be held if `limits.protected` named the account at gitlab"), "{}", ran.stdout);
}

#[test]
fn a_saved_plan_tells_what_it_holds_and_names_what_it_does_not() {
    let world = renamed();
    world.homeward(&["--lab", "plan", "website=after.csv", "--out", "plan.json"]);
    // Neither inputs nor the lab are needed any more.
    insta::assert_snapshot!(shown(&world, &["explain", "--plan", "plan.json", "7", "username"]), @r#"
    website/7  gitlab 42, mattermost bzxmqpiadzg9xtp5memxxu5hrq
    said by website (after.csv:2)

    username  owned by gitlab (rules/ownership.rhai:2:1)
      gitlab     apply  anna → anna.b
                        gitlab owns `username` (rules/ownership.rhai:2:1: mattermost.auth_service is "gitlab")
          call c1: PUT /api/v4/users/42
          asked by website (after.csv:2)
          rules/ownership.rhai:2:1  owner("username", "gitlab", |person| person.mattermost?.auth_service == "gitlab");
          also: the personal namespace and projects move; old addresses redirect until somebody takes them
      mattermost follow anna → anna.b
                        mattermost takes it from gitlab at the next sign-in through GitLab (a call of its own would be
                        refused, owned_elsewhere: the username of this account comes from GitLab; change it there)
          asked by gitlab (after.csv:2)
          rules/ownership.rhai:2:1  owner("username", "gitlab", |person| person.mattermost?.auth_service == "gitlab");
          when: at the next sign-in through GitLab
      decided by rules/ownership.rhai:2:1  owner("username", "gitlab", |person| person.mattermost?.auth_service ==
      "gitlab");
    -- stderr
    note: a saved plan does not hold
      attributes for which nothing was decided, and why: a plan holds decisions only
      what conditions looked at, and the lines that did not hold
      what would change a decision: name the inputs to find out (SYSTEM=FILE)
    -- exit 0
    "#);
}

#[test]
fn a_past_run_tells_what_became_of_each_call() {
    let world = renamed();
    assert_eq!(world.homeward(&["--lab", "apply", "--yes", "website=after.csv"]).status, 0);
    insta::assert_snapshot!(shown(&world, &["--lab", "explain", "--run", "2", "7", "username"]), @r#"
    website/7  gitlab 42, mattermost bzxmqpiadzg9xtp5memxxu5hrq
    said by website (after.csv:2)

    username  owned by gitlab (rules/ownership.rhai:2:1)
      gitlab     apply  anna → anna.b
                        gitlab owns `username` (rules/ownership.rhai:2:1: mattermost.auth_service is "gitlab")
          call c1: PUT /api/v4/users/42, done
          asked by website (after.csv:2)
          rules/ownership.rhai:2:1  owner("username", "gitlab", |person| person.mattermost?.auth_service == "gitlab");
          also: the personal namespace and projects move; old addresses redirect until somebody takes them
      mattermost follow anna → anna.b
                        mattermost takes it from gitlab at the next sign-in through GitLab (a call of its own would be
                        refused, owned_elsewhere: the username of this account comes from GitLab; change it there)
          expected after run 2: anna.b at the next sign-in through GitLab, by [TIME..............]
          asked by gitlab (after.csv:2)
          rules/ownership.rhai:2:1  owner("username", "gitlab", |person| person.mattermost?.auth_service == "gitlab");
          when: at the next sign-in through GitLab
      decided by rules/ownership.rhai:2:1  owner("username", "gitlab", |person| person.mattermost?.auth_service ==
      "gitlab");
    -- stderr
    note: a past run does not hold
      attributes for which nothing was decided, and why: a plan holds decisions only
      what conditions looked at, and the lines that did not hold
      what would change a decision: name the inputs to find out (SYSTEM=FILE)
    -- exit 0
    "#);
    insta::assert_snapshot!(shown(&world, &["--lab", "explain", "--run", "9", "7"]), @r#"
    -- stderr
      × there is no run 9
      help: list them with: homeward --lab runs
    -- exit 2
    "#);
}

#[test]
fn the_first_sight_of_a_source_that_tells_changes_is_a_baseline() {
    let mut world = World::example("rename-through-gitlab");
    world.start_lab(&[]);
    insta::assert_snapshot!(shown(&world, &["--lab", "-q", "explain", "7", "email", "website=after.csv"]), @r#"
    website/7  gitlab 42, mattermost bzxmqpiadzg9xtp5memxxu5hrq
    said by website (after.csv:2)

    email: anna@example.com  owned by website (rules/ownership.rhai:4:1)
      gitlab     ·      anna@example.com
                        website tells changes and shows this person for the first time: a baseline asks for nothing
          would be applied if website said `email` is "ann2@example.com" (it says "anna@example.com"), and website had shown
          another `email` the last time
      mattermost ·      anna@example.com
                        website tells changes and shows this person for the first time: a baseline asks for nothing
          would be left to come by itself if website said `email` is "ann2@example.com" (it says "anna@example.com"), and
          website had shown another `email` the last time
      website    says   anna@example.com  website owns it and says so
      decided by rules/ownership.rhai:4:1  owner("email", "website");
      website (after.csv:2) says anna@example.com, for the first time: a baseline, no attribute is asked for
    -- stderr
    -- exit 0
    "#);
}

#[test]
fn somebody_unknown_or_ambiguous_is_told_without_values_of_others() {
    let world = renamed()
        .file("twice.csv", "id,username,email\n7,anna,anna@example.com\n8,ben,ben@example.com\n9,nina,nina@example.com\n9,nina,n@example.com\n");
    insta::assert_snapshot!(shown(&world, &["--lab", "explain", "website/17", "website=after.csv"]), @r#"
    -- stderr
      × nobody here is `website/17`
      help: did you mean `website/7`?
    -- exit 2
    "#);
    insta::assert_snapshot!(shown(&world, &["--lab", "explain", "ana", "website=after.csv"]), @r#"
    -- stderr
      × nobody here is `ana`
      help: the records speak of 2 people; name one by id (hr/1001), key, username, address or account (gitlab:42)
    -- exit 2
    "#);
    insta::assert_snapshot!(shown(&world, &["--lab", "explain", "9", "website=twice.csv"]), @r#"
    -- stderr
      × nobody here is `9`
      help: the row with this key was rejected: twice.csv:4, column id: 2 rows have this id and differ (the first is line
            4): nobody can say which is right, so none is used (duplicate_id)
    -- exit 2
    "#);
    insta::assert_snapshot!(shown(&world, &["--lab", "explain", "7", "usrname", "website=after.csv"]), @r#"
    -- stderr
      × nothing can be told of `usrname`
      help: did you mean `username`?
    -- exit 2
    "#);
    insta::assert_snapshot!(shown(&world, &["explain", "7", "username"]), @r#"
    -- stderr
      × there is nothing to explain it from
      help: name inputs (SYSTEM=FILE) for a fresh dry run, or a plan (--plan FILE), or a run (--run N)
    -- exit 2
    "#);
    insta::assert_snapshot!(shown(&world, &["explain", "--run", "1", "7", "website=after.csv"]), @r#"
    -- stderr
      × `website=after.csv` is an input, and a plan that was made already is asked for
      help: leave the input out, or leave out --plan and --run for a fresh dry run
    -- exit 2
    "#);
}

#[test]
fn the_document_has_every_cell_and_the_same_bytes_twice() {
    let world = renamed();
    let asked = ["--lab", "--format", "json", "explain", "7", "username", "website=after.csv"];
    let first = world.homeward(&asked);
    assert_eq!(first, world.homeward(&asked));
    let document: Value = serde_json::from_str(&first.stdout).unwrap();
    assert_eq!(document["format"], "homeward.explanation/1");
    let of = &document["people"][0]["attributes"][0];
    assert_eq!(
        of["asked"][0]["looked_at"],
        serde_json::json!([{ "what": "mattermost.auth_service", "value": "gitlab" }])
    );
    let cells = of["cells"].as_array().unwrap();
    let brief: Vec<String> =
        cells.iter().map(|cell| format!("{} {} {}", cell["system"], cell["decisions"], cell["why"])).collect();
    assert_eq!(
        brief,
        [r#""gitlab" ["apply"] "decided""#, r#""mattermost" ["follow"] "decided""#, r#""website" [] "source""#]
    );
    let way = &cells[0]["takes"]["ways"][0];
    let text = "`mattermost.auth_service` were empty (now \"gitlab\")";
    assert_eq!(way, &serde_json::json!({ "suppose": [{ "of": "world", "text": text }], "becomes": [] }));
}

#[test]
fn everybody_is_explained_for_a_machine() {
    let document = json(&renamed(), &["--lab", "--format", "json", "explain", "--all", "website=after.csv"]);
    let people: Vec<&Value> = document["people"].as_array().unwrap().iter().map(|told| &told["person"]).collect();
    assert_eq!(people, ["website/7", "website/8"]);
}

#[test]
fn explaining_sends_nothing_but_questions() {
    let world = renamed();
    let before = world.asked("gitlab").len();
    assert_eq!(world.homeward(&["--lab", "explain", "7", "username", "website=after.csv"]).status, 0);
    let all = world.asked("gitlab");
    assert!(all.len() > before);
    assert_eq!(all[before..].iter().filter(|asked| !asked.starts_with("GET ")).count(), 0, "{all:?}");
}

/// A company in which something stands in the way of everybody.
fn stuck() -> World {
    let users = serde_json::json!({ "users": [
        { "id": 41, "username": "boss", "name": "B", "email": "boss@example.com" },
        { "id": 42, "username": "anna", "name": "A", "email": "anna@example.com" },
        { "id": 43, "username": "carl", "name": "C", "email": "carl@example.com" },
        { "id": 44, "username": "nora", "name": "N", "email": "nora@example.com" },
        { "id": 45, "username": "taken", "name": "T", "email": "t@example.com" },
    ] });
    let mut world = World::new()
        .file(
            "homeward.toml",
            "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\n\n[systems.web]\nkind = \"csv\"\nkey = \"id\"\nsays = \"changes\"\n\n\
             [systems.gitlab]\nkind = \"gitlab\"\nurl = \"https://git.example.com\"\ntoken = { env = \"GITLAB_TOKEN\" }\n\n\
             [limits]\nprotected = [\"gitlab:boss\"]\n",
        )
        .file(
            "rules/people.rhai",
            r#"
owner("username", "gitlab", |person| person.department == "IT");
owner(["username", "email", "department"], "hr");
copies("username", "gitlab");
source("hr", |row| #{ key: row.id, email: row.email, username: row.username, department: row.department, display_name: row.name });
source("web", |row| #{ key: row.id, email: row.email, username: row.username });
join("gitlab", "email");
route(|change| if change.attribute == "username" && change.to.starts_with("x") { hold("names with x are looked at") });
"#,
        )
        .file(
            "hr.csv",
            "id,email,username,department,name\n1,boss@example.com,chief,HR,B\n2,anna@example.com,taken,HR,A\n\
             3,carl@example.com,xavier,HR,Carl\n4,nora@example.com,nora,HR,N\n5,gone@example.com,gone,HR,G\n",
        )
        .file("web.csv", "id,email,username\n4,nora@example.com,nora.n\n")
        .file("lab/gitlab.json", &users.to_string());
    world.start_lab(&[]);
    world
}

#[test]
fn whatever_stands_in_the_way_is_named_and_would_change_it() {
    let world = stuck();
    let explained = |person: &str, attribute: &str, inputs: &[&str]| {
        shown(&world, &[&["--lab", "explain", person, attribute], inputs].concat())
    };
    // A protected account, a name that is taken, a rule that holds, an attribute that nobody owns, no account.
    insta::assert_snapshot!(explained("hr/1", "username", &["hr=hr.csv"]), @r#"
    hr/1  gitlab 41
    said by hr (hr.csv:2)

    username: chief  owned by hr (rules/people.rhai:3:1)
      gitlab hold   boss → chief  the account is protected by `limits.protected`
          asked by hr (hr.csv:2)
          rules/people.rhai:3:1  owner(["username", "email", "department"], "hr");
          rules/people.rhai:4:1  copies("username", "gitlab");
          would be applied if gitlab held the `username` "bos2" (now "boss")
          would be applied if `limits.protected` did not name the account at gitlab
      hr     says   chief  hr owns it and says so
      did not hold: rules/people.rhai:2:1  owner("username", "gitlab", |person| person.department == "IT");: department is
      HR
      decided by rules/people.rhai:3:1  owner(["username", "email", "department"], "hr");
      hr (hr.csv:2) says chief, and owns it
    -- stderr
    -- exit 0
    "#);
    insta::assert_snapshot!(explained("hr/2", "username", &["hr=hr.csv"]), @r#"
    hr/2  gitlab 42
    said by hr (hr.csv:3)

    username: taken  owned by hr (rules/people.rhai:3:1)
      gitlab refuse anna → taken  taken: account 45 at gitlab has this `username` already; this person's is 42
          asked by hr (hr.csv:3)
          rules/people.rhai:3:1  owner(["username", "email", "department"], "hr");
          rules/people.rhai:4:1  copies("username", "gitlab");
          would be applied if hr said `username` is "take2" (it says "taken")
          would be applied if nobody else had the `username` "taken" at gitlab
      hr     says   taken  hr owns it and says so
      did not hold: rules/people.rhai:2:1  owner("username", "gitlab", |person| person.department == "IT");: department is
      HR
      decided by rules/people.rhai:3:1  owner(["username", "email", "department"], "hr");
      hr (hr.csv:3) says taken, and owns it
    -- stderr
    -- exit 0
    "#);
    insta::assert_snapshot!(explained("hr/3", "username", &["hr=hr.csv"]), @r#"
    hr/3  gitlab 43
    said by hr (hr.csv:4)

    username: xavier  owned by hr (rules/people.rhai:3:1)
      gitlab hold   carl → xavier  names with x are looked at (rules/people.rhai:8:1)
          asked by hr (hr.csv:4)
          rules/people.rhai:3:1  owner(["username", "email", "department"], "hr");
          rules/people.rhai:4:1  copies("username", "gitlab");
          rules/people.rhai:8:1  route(|change| if change.attribute == "username" && change.to.starts_with("x") {
          hold("names with x are looked at") });
          would be applied if hr said `username` is "other" (it says "xavier")
          would be applied if no `route` and no `refused` line answered
      hr     says   xavier  hr owns it and says so
      did not hold: rules/people.rhai:2:1  owner("username", "gitlab", |person| person.department == "IT");: department is
      HR
      decided by rules/people.rhai:3:1  owner(["username", "email", "department"], "hr");
      hr (hr.csv:4) says xavier, and owns it
    -- stderr
    -- exit 0
    "#);
    insta::assert_snapshot!(explained("hr/3", "display_name", &["hr=hr.csv"]), @r#"
    hr/3  gitlab 43
    said by hr (hr.csv:4)

    display_name  nobody owns it
      gitlab ·      C  no `owner` line holds for this person, and what nobody owns is not written
          would be applied if an `owner` line gave `display_name` to gitlab
      hr     refuse Carl → Carl  nobody owns `display_name` for this person: say who does with an `owner` line
          asked by hr (hr.csv:4)
          nothing would be decided if hr said nothing of `display_name` (it says "Carl")
          nothing would be decided if an `owner` line gave `display_name` to hr
      hr (hr.csv:4) says Carl, and lost: nobody owns `display_name` for this person: say who does with an `owner` line
    -- stderr
    -- exit 0
    "#);
    insta::assert_snapshot!(explained("hr/5", "username", &["hr=hr.csv"]), @r#"
    hr/5
    said by hr (hr.csv:6)

    username: gone  owned by hr (rules/people.rhai:3:1)
      gitlab ·      this person has no account at gitlab, and no `account` line wants one
          would be applied if there were an account at gitlab
      hr     says   gone  hr owns it and says so
      did not hold: rules/people.rhai:2:1  owner("username", "gitlab", |person| person.department == "IT");: department is
      HR
      decided by rules/people.rhai:3:1  owner(["username", "email", "department"], "hr");
      hr (hr.csv:6) says gone, and owns it
    -- stderr
    -- exit 0
    "#);
    // Somebody else asks, and the owner holds what it says already.
    insta::assert_snapshot!(explained("gitlab:44", "username", &["hr=hr.csv", "web=web.csv"]), @r#"
    hr/4  gitlab 44
    said by hr (hr.csv:5), web (web.csv:2)

    username: nora  owned by hr (rules/people.rhai:3:1)
      gitlab same   nora  gitlab holds this value already
          would be applied if hr said `username` is "nora.n" (it says "nora")
          would be applied if gitlab held the `username` "nor2" (now "nora")
      hr     says   nora  hr owns it and says so
      web    says   nora.n  web is a source: it speaks, and nothing is written to it
      did not hold: rules/people.rhai:2:1  owner("username", "gitlab", |person| person.department == "IT");: department is
      HR
      decided by rules/people.rhai:3:1  owner(["username", "email", "department"], "hr");
      hr (hr.csv:5) says nora, and owns it
      web (web.csv:2) says nora.n, for the first time: a baseline, no attribute is asked for
    -- stderr
    -- exit 0
    "#);
}

#[test]
fn what_was_asked_of_the_owner_in_vain_does_not_count() {
    let world = stuck();
    world.write("it.csv", b"id,email,username,department,name\n3,carl@example.com,xavier,IT,Carl\n");
    let told = shown(&world, &["--lab", "explain", "hr/3", "username", "hr=it.csv"]);
    assert!(told.contains("username: carl  owned by gitlab (rules/people.rhai:2:1)"), "{told}");
    assert!(told.contains("gitlab hold   carl → xavier"), "{told}");
}
