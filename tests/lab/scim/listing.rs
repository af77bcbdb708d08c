//! Lists: filters, sorting, pages, searches and parts of resources (3.4.2, 3.4.3, 3.9, 3.10, RFC 9865).

use serde_json::{Value, json};

use super::server::{ENTERPRISE, Server, bad, ids, told};

fn server(settings: &Value) -> Server {
    let person = |id: u32| {
        json!({ "id": format!("{id:02}"), "userName": format!("person{id:02}"), "active": id.is_multiple_of(2),
            "name": { "familyName": format!("Family{:02}", 30 - id) },
            "emails": [{ "value": format!("p{id}@example.com"), "type": "work" }, { "value": format!("p{id}@home.example"), "type": "home" }],
            ENTERPRISE: { "department": if id < 5 { "Tours" } else { "Park" } } })
    };
    let people: Vec<Value> = (1..=25).map(person).collect();
    let groups = json!([{ "id": "g1", "displayName": "Employees", "members": ["person01"] }]);
    Server::new(&json!({ "people": people, "groups": groups, "settings": settings }))
}

fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn list(server: &Server, pairs: &[(&str, &str)]) -> Value {
    server.get(&format!("/Users?{}", query(pairs)))
}

#[test]
fn a_list_tells_how_many_there_are_and_shows_a_page() {
    let server = server(&json!({ "page": 10 }));
    let all = server.get("/Users");
    assert_eq!(all["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));
    let head = |list: &Value| ["totalResults", "itemsPerPage", "startIndex"].map(|name| list[name].as_u64().unwrap());
    assert_eq!((head(&all), ids(&all).len()), ([25, 10, 1], 10));
    for (start, count, expected) in [
        ("21", "10", 5),
        ("26", "10", 0),
        ("0", "3", 3),
        ("-5", "3", 3),
        ("1", "0", 0),
        ("1", "-1", 0),
        ("1", "99", 10),
    ] {
        let page = list(&server, &[("startIndex", start), ("count", count)]);
        let first = start.parse::<i64>().unwrap().max(1).unsigned_abs();
        assert_eq!(
            (head(&page), ids(&page).len()),
            ([25, expected, first], usize::try_from(expected).unwrap()),
            "{start} {count}"
        );
    }
    assert_eq!(told(&server.ask("GET", "/Users?count=x", &Value::Null)), bad("invalidValue"));
}

#[test]
fn filters_find_whom_they_describe() {
    let server = server(&json!({}));
    for (filter, expected) in [
        ("userName eq \"PERSON07\"", vec!["07"]),
        ("emails.value eq \"p3@home.example\" or userName eq \"person04\"", vec!["03", "04"]),
        ("emails[type eq \"work\" and value sw \"p25@\"]", vec!["25"]),
        ("emails[type eq \"home\" and value eq \"p25@example.com\"]", vec![]),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq \"Tours\" and active eq true",
            vec!["02", "04"],
        ),
        ("not (active eq true) and id lt \"04\"", vec!["01", "03"]),
        ("groups.display eq \"Employees\"", vec!["01"]),
        ("meta.created le \"2026-01-01T00:00:02Z\"", vec!["01", "02"]),
    ] {
        assert_eq!(ids(&list(&server, &[("filter", filter)])), expected, "{filter}");
    }
    for filter in ["userName is \"x\"", "shoeSize eq 42", "("] {
        let answer = server.ask("GET", &format!("/Users?{}", query(&[("filter", filter)])), &Value::Null);
        assert_eq!(told(&answer), bad("invalidFilter"), "{filter}");
    }
    server.settings(&json!({ "filter_or": false }));
    let answer = server.ask("GET", &format!("/Users?{}", query(&[("filter", "id pr or title pr")])), &Value::Null);
    assert_eq!(told(&answer), bad("invalidFilter"));
    server.settings(&json!({ "filter": false }));
    assert_eq!(
        told(&server.ask("GET", &format!("/Users?{}", query(&[("filter", "id pr")])), &Value::Null)),
        (501, None)
    );
    server.settings(&json!({ "too_many": 24 }));
    assert_eq!(told(&server.ask("GET", "/Users", &Value::Null)), bad("tooMany"));
}

#[test]
fn lists_are_sorted_where_they_can_be() {
    let server = server(&json!({}));
    let first = |pairs: &[(&str, &str)]| ids(&list(&server, pairs))[0].clone();
    assert_eq!(first(&[("sortBy", "name.familyName")]), "25");
    assert_eq!(first(&[("sortBy", "name.familyName"), ("sortOrder", "descending")]), "01");
    // `0` stands before `@`.
    assert_eq!(first(&[("sortBy", "emails")]), "10");
    server.settings(&json!({ "sort": false }));
    assert_eq!(first(&[("sortBy", "name.familyName")]), "01");
}

#[test]
fn a_cursor_leads_from_page_to_page() {
    let server = server(&json!({ "cursor": true, "page": 10 }));
    let mut cursor = String::new();
    let mut seen = Vec::new();
    loop {
        let page = list(&server, &[("cursor", &cursor), ("count", "10")]);
        assert_eq!((&page["totalResults"], page.get("startIndex")), (&json!(25), None));
        seen.extend(ids(&page));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 25);
    assert_eq!(told(&server.ask("GET", "/Users?cursor=mine", &Value::Null)), bad("invalidCursor"));
    server.settings(&json!({ "index": false }));
    assert!(server.get("/Users").get("nextCursor").is_some());
    let config = server.get("/ServiceProviderConfig");
    assert_eq!(
        (&config["pagination"]["cursor"], &config["pagination"]["defaultPaginationMethod"]),
        (&json!(true), &json!("cursor"))
    );
}

#[test]
fn a_search_is_a_list_that_is_asked_for_with_a_body() {
    let server = server(&json!({}));
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "attributes": ["displayName", "userName"],
        "filter": "displayName sw \"emp\" or userName sw \"person0\"", "startIndex": 1, "count": 10,
    });
    let found = server.ask("POST", "/.search", &body).json();
    assert_eq!((&found["totalResults"], ids(&found).len()), (&json!(10), 10));
    assert!(ids(&found).contains(&"g1".to_owned()));
    let schemas = "urn:ietf:params:scim:schemas:core:2.0:Group";
    assert_eq!(found["Resources"][9], json!({ "schemas": [schemas], "id": "g1", "displayName": "Employees" }));
    assert_eq!(server.ask("POST", "/Users/.search", &body).json()["totalResults"], 9);
    assert_eq!(told(&server.ask("POST", "/.search", &json!({ "filter": "id pr" }))), bad("invalidSyntax"));
    assert_eq!(told(&server.ask("GET", "/.search", &Value::Null)), (405, None));
}

#[test]
fn as_much_of_a_resource_is_shown_as_is_asked_for() {
    let server = server(&json!({}));
    let shown = |pairs: &[(&str, &str)]| server.get(&format!("/Users/01?{}", query(pairs)));
    let schemas = json!(["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE]);
    assert_eq!(shown(&[("attributes", "userName")]), json!({ "schemas": schemas, "id": "01", "userName": "person01" }));
    let parts = shown(&[("attributes", "emails.type,urn:ietf:params:scim:schemas:core:2.0:User:active")]);
    assert_eq!(
        parts,
        json!({ "schemas": schemas, "id": "01", "active": false, "emails": [{ "type": "work" }, { "type": "home" }] })
    );
    let department = format!("{ENTERPRISE}:department");
    assert_eq!(shown(&[("attributes", &department)])[ENTERPRISE], json!({ "department": "Tours" }));
    assert_eq!(shown(&[("attributes", ENTERPRISE)])[ENTERPRISE], json!({ "department": "Tours" }));
    let less = shown(&[("excludedAttributes", "meta,emails.value,id,groups,name")]);
    let expected = json!({ "schemas": schemas, "id": "01", "userName": "person01", "active": false,
        "emails": [{ "type": "work" }, { "type": "home" }], ENTERPRISE: { "department": "Tours" } });
    assert_eq!(less, expected);
    assert_eq!(
        told(&server.ask("GET", "/Users/01?attributes=id&excludedAttributes=id", &Value::Null)),
        bad("invalidValue")
    );
}

#[test]
fn lists_can_lie_and_answers_be_odd() {
    let server = server(&json!({ "lie": 2 }));
    assert_eq!(server.get("/Users")["totalResults"], 27);
    server.settings(&json!({ "text_booleans": true, "odd_case": true }));
    let user = server.get("/Users/02");
    assert_eq!((&user["UserName"], &user["Active"]), (&json!("person02"), &json!("True")));
    assert_eq!(user[ENTERPRISE.to_lowercase()], json!({ "Department": "Tours" }));
    assert_eq!(user["Schemas"][1], ENTERPRISE.to_uppercase());
}
