//! What is asked of a GitLab, and what its answers are taken for.

use serde_json::json;

use super::{super::served::Served, *};

fn user(id: u64, username: &str, email: &str) -> Json {
    json!({ "id": id, "username": username, "name": username, "state": "active", "email": email, "is_admin": false })
}

fn wanted(ids: &[&str], usernames: &[&str], emails: &[&str]) -> Wanted {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Wanted {
        ids: ids.iter().map(|id| (*id).into()).collect(),
        holding: BTreeMap::from([
            (AttributeName::new("username"), texts(usernames)),
            (AttributeName::new("email"), texts(emails)),
        ]),
        ..Wanted::default()
    }
}

fn gitlab() -> Served {
    let served = Served::start();
    served.answer("/api/v4/user", 200, &json!({ "id": 1, "username": "root", "is_admin": true }));
    served.answer("/api/v4/version", 200, &json!({ "version": "17.11.1", "revision": "x" }));
    served
}

async fn observe(served: &Served, wanted: &Wanted) -> Result<Observed, ConnectorError> {
    let line = served.line();
    let looker = Looker::new(line.reader(), TokenKind::Personal);
    let facts = looker.server_facts().await?;
    looker.observe(wanted, facts).await
}

fn ids(observed: &Observed) -> Vec<&str> {
    observed.accounts.iter().filter_map(|account| account.id()).collect()
}

#[tokio::test]
async fn a_few_accounts_are_looked_up_each() {
    let served = gitlab();
    served.answer("/api/v4/users/42", 200, &user(42, "anna", "anna@example.test"));
    served.answer("/api/v4/users/43", 404, &json!({ "message": "404 User Not Found" }));
    served.answer("/api/v4/users?username=Bea", 200, &json!([user(7, "bea", "bea@example.test")]));
    served.answer("/api/v4/users?username=nobody", 200, &json!([]));
    let similar = json!([user(9, "carl", "carl@example.test"), user(8, "c", "notcarl@example.test")]);
    served.answer("/api/v4/users?search=Carl%40example.test&per_page=100", 200, &similar);

    let asked = wanted(&["42", "43", "not/an/id"], &["Bea", "nobody"], &["Carl@example.test", "ANNA@example.test"]);
    let observed = observe(&served, &asked).await.unwrap();

    // An address has one holder, so whoever is found with a similar one is not another.
    assert_eq!(ids(&observed), ["42", "7", "9"]);
    let known = Facts::from([("me".to_owned(), "1".into()), ("version".to_owned(), "17.11.1".into())]);
    assert_eq!(*observed.server, known);
    assert_eq!(*observed.accounts.get(0).unwrap().account().server, known);
    // Anna was found by her id, so nobody asked for her address.
    assert!(!served.requests().iter().any(|request| request.contains("ANNA")), "{:?}", served.requests());
}

#[tokio::test]
async fn a_secondary_address_is_told_and_a_name_that_looks_like_one_is_not() {
    let served = gitlab();
    let holder = user(7, "anna", "new@example.test");
    let mut namesake = user(8, "bea", "bea@example.test");
    namesake["name"] = "Old@example.test".into();
    served.answer("/api/v4/users?search=old%40example.test&per_page=100", 200, &json!([holder, namesake]));
    served.answer("/api/v4/users?search=older%40example.test&per_page=100", 200, &json!([holder]));
    let kept = json!([{ "id": 1, "email": "Old@example.test" }, { "id": 2, "email": "older@example.test" }]);
    served.answer("/api/v4/users/7/emails?per_page=100", 200, &kept);

    let asked = wanted(&[], &[], &["old@example.test", "older@example.test"]);
    let observed = observe(&served, &asked).await.unwrap();

    assert_eq!(ids(&observed), ["7"]);
    assert_eq!(
        observed.accounts.get(0).unwrap().account().fact("also_holds"),
        Some("old@example.test older@example.test")
    );
    let email = observed.accounts.get(0).unwrap().account().value(&AttributeName::new("email"));
    assert_eq!(email, Value::text("new@example.test"));
}

#[tokio::test]
async fn whoever_a_search_finds_without_the_address_does_not_hold_it() {
    let served = gitlab();
    // Something in between drops what is searched for: anybody may be shown.
    let anybody = [user(7, "anna", "anna@example.test"), user(8, "bea", "bea@example.test")];
    served.answer("/api/v4/users?search=new%40example.test&per_page=100", 200, &json!(anybody));
    served.answer("/api/v4/users?search=bea%40example.test&per_page=100", 200, &json!(anybody));
    let mut public = user(9, "carl", "carl@example.test");
    public["public_email"] = "seen@example.test".into();
    served.answer("/api/v4/users?search=seen%40example.test&per_page=100", 200, &json!([public]));
    let many: Vec<Json> = (20..40).map(|id| user(id, &format!("p{id}"), &format!("p{id}@example.test"))).collect();
    served.answer("/api/v4/users?search=many%40example.test&per_page=100", 200, &json!(many));
    for id in [7, 8] {
        let kept = json!([{ "id": 1, "email": "other@example.test" }]);
        served.answer(&format!("/api/v4/users/{id}/emails?per_page=100"), 200, &kept);
    }

    let asked = wanted(&[], &[], &["new@example.test", "bea@example.test", "seen@example.test", "many@example.test"]);
    let observed = observe(&served, &asked).await.unwrap();

    assert_eq!(ids(&observed), ["8", "9"]);
    let also: Vec<Option<String>> =
        (0..2).map(|at| observed.accounts.get(at).unwrap().account().fact("also_holds").map(str::to_owned)).collect();
    assert_eq!(also, [None, Some("seen@example.test".to_owned())]);
    // Of the many nobody is asked for each; of the two without the address each once.
    let looks = served.requests().iter().filter(|request| request.contains("/emails")).count();
    assert_eq!(looks, 2, "{:?}", served.requests());
}

/// Thirty people are sought, of whom 150 is known by id and under another name there, of 220 accounts.
fn thirty() -> Wanted {
    let names: Vec<String> = (100..129).map(|n| format!("p{n}")).collect();
    wanted(&["150"], &names.iter().map(String::as_str).collect::<Vec<_>>(), &[])
}

/// The headers of a page, and who is on it.
type Page<'a> = (&'a [(&'a str, &'a str)], Json);

const NEWEST: &str = "/api/v4/users?per_page=100&order_by=id&sort=desc";
const OLDEST: &str = "/api/v4/users?pagination=keyset&order_by=id&sort=asc&per_page=100";

fn people(from: u64, to: u64) -> Json {
    (from..=to).map(|n| user(n, &format!("p{n}"), &format!("p{n}@example.test"))).collect()
}

#[tokio::test]
async fn whoever_a_list_that_ends_early_does_not_show_is_asked_for() {
    let next = ("Link", "<https://x/api/v4/users?pagination=keyset&id_after=100>; rel=\"next\"");
    let total = ("X-Total", "250");
    let cases: [(&str, Page<'_>, Page<'_>, Page<'_>); 6] = [
        ("no next link", (&[total], people(151, 250)), (&[], people(1, 100)), (&[], json!([]))),
        ("no total and no next link", (&[], people(151, 250)), (&[], people(1, 100)), (&[], json!([]))),
        ("an empty page", (&[total], people(151, 250)), (&[next], people(1, 100)), (&[next], json!([]))),
        ("a short first page", (&[total], people(231, 250)), (&[], json!([])), (&[], json!([]))),
        ("a short first page alone", (&[], people(231, 250)), (&[], json!([])), (&[], json!([]))),
        ("a hole", (&[total], people(152, 250)), (&[next], people(1, 100)), (&[], people(130, 149))),
    ];
    for (what, newest, oldest, middle) in cases {
        let served = gitlab();
        served.answer_with(NEWEST, 200, newest.0, &newest.1);
        served.answer_with(OLDEST, 200, oldest.0, &oldest.1);
        served.answer_with("/api/v4/users?pagination=keyset&id_after=100", 200, middle.0, &middle.1);
        served.answer("/api/v4/users/150", 200, &user(150, "renamed", "renamed@example.test"));
        for n in 100..129 {
            let found = if n == 110 { people(110, 110) } else { json!([]) };
            served.answer(&format!("/api/v4/users?username=p{n}"), 200, &found);
        }
        let observed = observe(&served, &thirty()).await.unwrap();
        let seen = ids(&observed);
        assert!(seen.contains(&"150") && seen.contains(&"110"), "{what}: {seen:?} {:?}", served.requests());

        // What cannot be asked for is not said to be nowhere.
        let mut wanted = thirty();
        wanted.holding.insert(AttributeName::new("display_name"), BTreeSet::from(["Bea".to_owned()]).into());
        let error = observe(&served, &wanted).await.unwrap_err().to_string();
        assert!(error.starts_with("gitlab answered lists that do not add up"), "{what}: {error}");
    }
}

#[tokio::test]
async fn somebody_whom_a_list_that_adds_up_passes_over_makes_it_unbelieved() {
    let served = gitlab();
    // Nothing tells that this is not everybody, but for somebody who is known.
    let mut few = people(231, 250);
    few.as_array_mut().unwrap().push(user(1, "root", "r@example.test"));
    served.answer(NEWEST, 200, &few);
    served.answer("/api/v4/users/150", 200, &user(150, "renamed", "renamed@example.test"));
    for n in 100..129 {
        let found = if n == 110 { people(110, 110) } else { json!([]) };
        served.answer(&format!("/api/v4/users?username=p{n}"), 200, &found);
    }
    assert_eq!(ids(&observe(&served, &thirty()).await.unwrap()), ["110", "150"]);
}

#[tokio::test]
async fn a_deletion_while_the_list_is_read_costs_one_more_reading_and_no_look_ups() {
    let served = gitlab();
    let next = "<https://x/api/v4/users?pagination=keyset&id_after=100>; rel=\"next\"";
    served.answer_with(OLDEST, 200, &[("Link", next)], &people(1, 100));
    served.answer_with("/api/v4/users?pagination=keyset&id_after=100", 200, &[], &people(101, 200));
    served.answer_once(NEWEST, 200, &[("X-Total", "251")], &people(151, 250));
    served.answer_with(NEWEST, 200, &[("X-Total", "250")], &people(151, 250));
    assert_eq!(observe(&served, &thirty()).await.unwrap().accounts.len(), 30);
    assert_eq!(served.requests().len(), 2 + 3 + 3, "{:?}", served.requests());
}

#[tokio::test]
async fn an_account_that_is_not_the_one_asked_for_is_nobodys() {
    let served = gitlab();
    served.answer("/api/v4/users/42", 200, &user(43, "bea", "bea@example.test"));
    let error = observe(&served, &wanted(&["42"], &[], &[])).await.unwrap_err();
    assert_eq!(error.to_string(), "gitlab answered another account than the one that was asked for");
}

#[tokio::test]
async fn many_accounts_are_read_page_by_page_on_the_host_we_know() {
    let served = gitlab();
    served.answer_with(NEWEST, 200, &[("X-Total", "220")], &people(121, 220));
    let link = "<https://git.elsewhere.test/api/v4/users?pagination=keyset&id_after=100>; rel=\"next\", \
                <https://git.elsewhere.test/api/v4/users?x=1>; rel=\"first\"";
    served.answer_with(OLDEST, 200, &[("Link", link)], &people(1, 100));
    let link = "<https://git.elsewhere.test/api/v4/users?pagination=keyset&id_after=200>; rel=\"next\"";
    served.answer_with("/api/v4/users?pagination=keyset&id_after=100", 200, &[("Link", link)], &people(101, 200));
    served.answer(
        "/api/v4/users?search=taken%40example.test&per_page=100",
        200,
        &json!([user(3, "p3", "p3@example.test")]),
    );

    let kept = json!([{ "id": 1, "email": "taken@example.test" }]);
    served.answer("/api/v4/users/3/emails?per_page=100", 200, &kept);

    let usernames: Vec<String> = (96..=105).map(|n| format!("P{n}")).collect();
    let usernames: Vec<&str> = usernames.iter().map(String::as_str).collect();
    let asked = wanted(&["2", "119"], &usernames, &["p110@example.test", "taken@example.test"]);
    let observed = observe(&served, &asked).await.unwrap();

    let expected = ["100", "101", "102", "103", "104", "105", "110", "119", "2", "3", "96", "97", "98", "99"];
    assert_eq!(ids(&observed), expected);
    assert_eq!(served.requests().len(), 7, "{:?}", served.requests());
}

#[tokio::test]
async fn what_cannot_be_looked_up_is_found_by_walking() {
    let served = gitlab();
    let newest = "/api/v4/users?per_page=100&order_by=id&sort=desc";
    let all = json!([user(6, "bea", "b@example.test"), user(5, "anna", "a@example.test"), user(1, "root", "r@x.test")]);
    served.answer(newest, 200, &all);
    let names = BTreeSet::from(["Bea".to_owned()]);
    let asked =
        Wanted { holding: BTreeMap::from([(AttributeName::new("display_name"), names.into())]), ..Wanted::default() };
    assert_eq!(ids(&observe(&served, &asked).await.unwrap()), ["6"]);
}

#[tokio::test]
async fn a_walk_that_goes_round_ends() {
    let served = gitlab();
    let newest: Json = (900..1000).map(|n| user(n, &format!("p{n}"), &format!("p{n}@example.test"))).collect();
    served.answer("/api/v4/users?per_page=100&order_by=id&sort=desc", 200, &newest);
    let first = "/api/v4/users?pagination=keyset&order_by=id&sort=asc&per_page=100";
    let link = "<http://x/api/v4/users>; rel=\"next\"";
    served.answer_with(first, 200, &[("Link", link)], &json!([user(5, "anna", "a@example.test")]));
    served.answer_with("/api/v4/users", 200, &[("Link", link)], &json!([user(5, "anna", "a@example.test")]));
    let names = BTreeSet::from(["Bea".to_owned()]);
    let asked =
        Wanted { holding: BTreeMap::from([(AttributeName::new("display_name"), names.into())]), ..Wanted::default() };
    let error = observe(&served, &asked).await.unwrap_err();
    assert_eq!(error.to_string(), "gitlab answered the same page again instead of the next");
}

#[tokio::test]
async fn without_an_administrators_view_nothing_is_read() {
    let served = Served::start();
    served.answer("/api/v4/user", 200, &json!({ "id": 1, "username": "x" }));
    let error = observe(&served, &Wanted::default()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("gitlab refused to be read (forbidden: {})", reply::NEEDS));

    let served = gitlab();
    served.answer("/api/v4/users/42", 200, &json!({ "id": 42, "username": "anna", "state": "active" }));
    let error = observe(&served, &wanted(&["42"], &[], &[])).await.unwrap_err();
    assert_eq!(error.to_string(), format!("gitlab refused to be read (forbidden: {})", reply::NEEDS));
}

#[tokio::test]
async fn half_an_answer_is_no_answer() {
    let served = gitlab();
    served.answer("/api/v4/users/42", 200, &user(42, "anna", "anna@example.test"));
    served.answer("/api/v4/users?username=bea", 403, &json!({ "error": "insufficient_scope", "scope": "api" }));
    let error = observe(&served, &wanted(&["42"], &["bea"], &[])).await.unwrap_err();
    let expected = "gitlab refused to be read (forbidden: the token's scope is too small: it needs the scope `api`)";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn another_server_is_told_by_its_answers() {
    let served = Served::start();
    let error = observe(&served, &Wanted::default()).await.unwrap_err();
    let expected = "gitlab refused to be read (not_found: GitLab has nothing at this address: is `url` right?)";
    assert_eq!(error.to_string(), expected);
    served.answer("/api/v4/user", 200, &json!({ "hello": 1 }));
    let error = observe(&served, &Wanted::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "gitlab answered something that is no user: is `url` a GitLab's?");
}

#[tokio::test]
async fn our_standing_names_what_is_missing() {
    let served = gitlab();
    served.answer("/api/v4/users?per_page=1", 200, &json!([user(1, "root", "r@example.test")]));
    let line = served.line();
    let standing = Looker::new(line.reader(), TokenKind::Personal).standing().await.unwrap();
    let good = Standing {
        server: "GitLab 17.11.1".to_owned(),
        we_are: "root (administrator)".to_owned(),
        missing: Vec::new(),
    };
    assert_eq!(standing, good);

    served.answer("/api/v4/personal_access_tokens/self", 200, &json!({ "scopes": ["read_api", "read_user"] }));
    served.answer("/api/v4/users?per_page=1", 200, &json!([{ "id": 1, "username": "root", "state": "active" }]));
    let standing = Looker::new(line.reader(), TokenKind::Personal).standing().await.unwrap();
    let missing = vec![
        format!("reading and changing accounts: {}", reply::NEEDS),
        "changing accounts: the token's scope is too small, it needs the scope `api`".to_owned(),
    ];
    assert_eq!(standing, Standing { missing, ..good });

    served.answer("/oauth/token/info", 200, &json!({ "scope": ["api"] }));
    served.answer("/api/v4/user", 200, &json!({ "id": 9, "username": "anna", "is_admin": false }));
    let standing = Looker::new(line.reader(), TokenKind::Oauth).standing().await.unwrap();
    assert_eq!(standing.we_are, "anna (no administrator)");
    assert_eq!(standing.missing.len(), 1);
}

#[test]
fn a_walk_pays_where_pages_are_fewer_than_look_ups() {
    assert!(walk_is_less(120, 2));
    assert!(!walk_is_less(201, 2));
    assert!(!walk_is_less(usize::MAX, 1_000_000));
    let ids = |count: usize, highest: usize| {
        let ids = (highest - count..highest).map(|id| AccountId::from((id + 1).to_string()));
        Wanted { ids: ids.collect(), ..Wanted::default() }
    };
    assert!(!may_pay(&ids(8, 10)), "a few are asked for anyhow");
    assert!(may_pay(&ids(10, 10)));
    assert!(!may_pay(&ids(10, 1_000)), "as many pages at least");
    assert!(may_pay(&ids(20, 1_000)));
    assert!(may_pay(&wanted(&[], &["a", "b", "c", "d", "e", "f", "g", "h", "i"], &[])), "nobody knows");
}

#[tokio::test]
async fn where_the_first_page_shows_too_many_each_is_asked_for() {
    let served = gitlab();
    let newest: Json = (5_901..=6_000).map(|n| user(n, &format!("p{n}"), &format!("p{n}@example.test"))).collect();
    served.answer("/api/v4/users?per_page=100&order_by=id&sort=desc", 200, &newest);
    let names: Vec<String> = (5_991..=6_010).map(|n| format!("p{n}")).collect();
    for name in &names[10..] {
        served.answer(&format!("/api/v4/users?username={name}"), 200, &json!([]));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let observed = observe(&served, &wanted(&[], &names, &[])).await.unwrap();
    assert_eq!(ids(&observed).len(), 10);
    assert_eq!(served.requests().len(), 2 + 1 + 10, "{:?}", served.requests());
}

#[test]
fn the_next_page_is_found_in_any_order_and_form_of_the_header() {
    let pairs = |query: &[(&str, &str)]| {
        Some(query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Vec<_>>())
    };
    let first = r#"<https://h/api/v4/users?page=1>; rel="first""#;
    let next = r#"<https://h/sub/api/v4/users?a=1%2C2&cursor=x%3D%3D&b=c,d>; rel="next""#;
    let expected = pairs(&[("a", "1,2"), ("cursor", "x=="), ("b", "c,d")]);
    assert_eq!(next_page(next), expected);
    assert_eq!(next_page(&format!("{first}, {next}")), expected);
    assert_eq!(next_page(&format!("{next}, {first}")), expected);
    assert_eq!(next_page("</users?id_after=7>; title=x; REL=next"), pairs(&[("id_after", "7")]));
    assert_eq!(next_page(r#"</users?id_after=7#top>; rel="last next""#), pairs(&[("id_after", "7")]));
    assert_eq!(next_page(r#"</users>; rel="next""#), pairs(&[]));
    for none in [first, "", "<", "<https://h/?a=1", "rel=next", r#"<https://h/?a=1>; rel="prev""#, "<a>; next"] {
        assert_eq!(next_page(none), None, "{none}");
    }
}
