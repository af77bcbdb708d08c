//! Reading the list (4).

use serde_json::{Value, json};

use super::site::{Site, column, error, expect};

/// Ids from 1 in this order; our account comes last.
fn site() -> Site {
    Site::new(&json!({
        "meta_keys": ["office", "department"],
        "people": [
            { "username": "Mixed.Case@Login", "name": "Zoë Ørsted", "email": "zoe@example.org", "url": "b.example.com" },
            { "username": "with space", "name": "anna Berg", "email": "UPPER.Case@Example.com", "roles": ["author"],
              "registered_date": "2012-02-02T12:45:57+00:00" },
            { "username": "12345", "name": "R&D <b>Test</b>", "first_name": "R&amp;D", "email": "", "roles": [],
              "meta": { "office": "R&D" } },
            { "username": "dmüller", "name": "Daniel Müller", "slug": "chief", "roles": ["subscriber", "editor"],
              "description": "night & <b>tea</b>", "locale": "de_DE" },
        ],
    }))
}

const ALL: &str = "context=edit&orderby=id";

#[test]
fn pages_tell_the_totals_and_where_the_others_are() {
    let site = site();
    let list = format!("{}/wp-json/wp/v2/users", site.url());
    let link = |page: u64, rel: &str| format!("<{list}?{ALL}&per_page=2&page={page}>; rel=\"{rel}\"");
    let root = format!("<{}/wp-json/>; rel=\"https://api.w.org/\"", site.url());
    for (page, ids, links) in [
        (1, json!([1, 2]), link(2, "next")),
        (2, json!([3, 4]), format!("{}, {}", link(1, "prev"), link(3, "next"))),
        (3, json!([5]), link(2, "prev")),
        (9, json!([]), link(3, "prev")),
    ] {
        let answer = site.get(&format!("/users?{ALL}&per_page=2&page={page}"));
        assert_eq!(column(&answer, "id"), ids);
        assert_eq!((answer.headers["x-wp-total"].as_str(), answer.headers["x-wp-totalpages"].as_str()), ("5", "3"));
        assert_eq!(answer.headers["link"], links);
        let head = site.ask("HEAD", &format!("/wp-json/wp/v2/users?{ALL}&per_page=2&page={page}"), &Value::Null);
        assert_eq!((head.status, head.text.as_str(), &head.headers["link"]), (200, "", &links));
    }
    assert_eq!(site.get("/users?context=edit").headers["link"], root);
    assert_eq!(column(&site.get(&format!("/users?{ALL}&offset=3")), "id"), json!([4, 5]));
}

#[test]
fn a_page_holds_10_and_at_most_100() {
    let site = Site::with_people(&json!({}), 120);
    assert_eq!(site.get("/users?context=edit").json().as_array().unwrap().len(), 10);
    assert_eq!(site.get("/users?context=edit&per_page=100").json().as_array().unwrap().len(), 100);
    assert_eq!(site.get("/users/2?context=edit").json()["username"], "person000001");
    for (query, name, code, message) in [
        ("per_page=0", "per_page", "rest_out_of_bounds", "per_page must be between 1 (inclusive) and 100 (inclusive)"),
        (
            "per_page=101",
            "per_page",
            "rest_out_of_bounds",
            "per_page must be between 1 (inclusive) and 100 (inclusive)",
        ),
        ("page=0", "page", "rest_out_of_bounds", "page must be greater than or equal to 1"),
        ("page=-1", "page", "rest_out_of_bounds", "page must be greater than or equal to 1"),
        ("page=x", "page", "rest_invalid_type", "page is not of type integer."),
        ("include=1,x", "include", "rest_invalid_type", "include[1] is not of type integer."),
        ("order=up", "order", "rest_not_in_enum", "order is not one of asc and desc."),
        ("context=all", "context", "rest_not_in_enum", "context is not one of view, embed, and edit."),
        (
            "search_columns=login",
            "search_columns",
            "rest_not_in_enum",
            "search_columns[0] is not one of email, name, id, username, and slug.",
        ),
    ] {
        let answer = site.get(&format!("/users?{query}"));
        let body = answer.json();
        let detail = &body["data"]["details"][name];
        assert_eq!((answer.status, &body["code"]), (400, &json!("rest_invalid_param")), "{query}");
        assert_eq!(body["data"]["params"], json!({ name: message }), "{query}");
        assert_eq!((&detail["code"], &detail["message"]), (&json!(code), &json!(message)), "{query}");
    }
}

#[test]
fn every_order_is_known_and_name_is_the_usual_one() {
    let site = site();
    for (query, ids) in [
        ("", json!([2, 4, 5, 3, 1])),
        ("orderby=name", json!([2, 4, 5, 3, 1])),
        ("orderby=name&order=desc", json!([1, 3, 5, 4, 2])),
        ("orderby=id&order=desc", json!([5, 4, 3, 2, 1])),
        ("orderby=registered_date", json!([2, 1, 3, 4, 5])),
        ("orderby=slug", json!([3, 4, 5, 1, 2])),
        ("orderby=email", json!([3, 4, 5, 2, 1])),
        ("orderby=url&order=desc&per_page=1", json!([1])),
        ("orderby=include&include=4,2,99", json!([4, 2])),
        ("orderby=include_slugs&slug=with-space,chief", json!([2, 4])),
    ] {
        assert_eq!(column(&site.get(&format!("/users?context=edit&{query}")), "id"), ids, "{query}");
    }
}

#[test]
fn filters_narrow_the_list_and_its_totals() {
    let site = site();
    for (query, ids) in [
        ("include=2,99", json!([2])),
        ("include[]=2&include[]=3", json!([2, 3])),
        ("exclude=1,2", json!([3, 4, 5])),
        ("slug=chief", json!([4])),
        ("slug=chie", json!([])),
        ("roles=author,editor", json!([2, 4])),
        ("roles=king", json!([])),
        ("capabilities=edit_posts", json!([2, 4, 5])),
        ("search=muller", json!([4])),
        ("search=MIXED", json!([1])),
        ("search=upper.case", json!([2])),
        ("search=chief&search_columns=username,email", json!([])),
        ("search=chief&search_columns=slug", json!([4])),
        ("search=1234&search_columns[]=username", json!([3])),
        ("modified_after=2030-01-01T00:00:00", json!([1, 2, 3, 4, 5])),
    ] {
        let answer = site.get(&format!("/users?{ALL}&{query}"));
        assert_eq!(column(&answer, "id"), ids, "{query}");
        assert_eq!(answer.headers["x-wp-total"], ids.as_array().unwrap().len().to_string(), "{query}");
    }
}

#[test]
fn before_6_8_search_columns_are_not_known() {
    let site = site();
    site.set(&json!({ "version": "6.1.9" }));
    let query = format!("/users?{ALL}&search=chief&search_columns=email");
    assert_eq!(column(&site.get(&query), "id"), json!([4]));
    assert_eq!(site.get(&query).headers["cache-control"], "no-cache, must-revalidate, max-age=0");
}

#[test]
fn fields_come_as_they_are_stored() {
    let site = site();
    let one = |id: u64, fields: &str| site.get(&format!("/users/{id}?context=edit&_fields={fields}")).json();
    let expected = json!({ "name": "R&amp;D Test", "first_name": "R&amp;D", "email": "", "roles": [],
                           "extra_capabilities": {}, "capabilities": {} });
    assert_eq!(one(3, "name,first_name,email,roles,extra_capabilities,capabilities"), expected);
    let meta = json!({ "persisted_preferences": [], "office": "R&D", "department": "" });
    assert_eq!(one(3, "meta"), json!({ "meta": meta }));
    assert_eq!(one(3, "id,meta.office"), json!({ "id": 3, "meta": { "office": "R&D" } }));
    let expected = json!({ "description": "night &amp; <b>tea</b>", "locale": "de_DE", "slug": "chief" });
    assert_eq!(one(4, "description,locale,slug"), expected);
    assert_eq!(
        one(1, "username,slug,locale,url"),
        json!({
            "username": "Mixed.Case@Login", "slug": "mixed-caselogin", "locale": "en_US", "url": "b.example.com",
        })
    );
}

#[test]
fn each_context_shows_its_fields() {
    let site = site();
    let keys = |context: &str| {
        let shown = site.get(&format!("/users/2?context={context}")).json();
        shown.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(keys("embed"), "id name url description link slug avatar_urls _links");
    assert_eq!(keys("view"), "id name url description link slug avatar_urls meta _links");
    assert_eq!(
        keys("edit"),
        "id username name first_name last_name email url description link locale nickname slug roles registered_date \
         capabilities extra_capabilities avatar_urls meta _links"
    );
    assert_eq!(site.get("/users/3").json()["meta"], json!([]));
}

#[test]
fn keys_registered_for_everybody_are_public() {
    let site = Site::new(&json!({
        "meta_keys": ["salary"], "public_meta_keys": ["office"],
        "people": [{ "username": "anna", "posts": true, "meta": { "salary": "1", "office": "Malmö" } }],
    }));
    assert_eq!(site.get_as_nobody("/users").json()[0]["meta"], json!({ "office": "Malmö" }));
}

/// The ids a walk over pages of two sees, and the totals it is told.
fn walk(site: &Site, query: &str) -> (Vec<u64>, Vec<String>) {
    let (mut ids, mut totals) = (Vec::new(), Vec::new());
    for page in 1..=3 {
        let answer = site.get(&format!("/users?context=edit&per_page=2&page={page}&{query}"));
        ids.extend(column(&answer, "id").as_array().unwrap().iter().map(|id| id.as_u64().unwrap()));
        totals.push(answer.headers["x-wp-total"].clone());
    }
    (ids, totals)
}

#[test]
fn a_deletion_between_pages_hides_somebody_else_once() {
    let site = site();
    site.set(&json!({ "shift": { "after_page": 1, "delete": 1 } }));
    assert_eq!(walk(&site, "orderby=id"), (vec![1, 2, 4, 5], vec!["5".to_owned(), "4".to_owned(), "4".to_owned()]));
    assert_eq!(walk(&site, "orderby=id").0, [2, 3, 4, 5]);
    expect(&site.get("/users/1?context=edit"), 404, &error(404, "rest_user_invalid_id", "Invalid user ID."));
}

#[test]
fn a_changed_name_between_pages_hides_somebody_in_the_usual_order_while_the_total_stays() {
    let site = site();
    site.set(&json!({ "shift": { "after_page": 1, "rename": { "id": 2, "name": "Zz" } } }));
    let (ids, totals) = walk(&site, "");
    assert_eq!((ids, totals), (vec![2, 4, 3, 1, 2], vec!["5".to_owned(); 3]));
    assert_eq!(site.user(2)["name"], "Zz");
    assert_eq!(site.state()["settings"]["shift"], Value::Null);
}

#[test]
fn somebody_new_between_pages_is_seen_at_the_end() {
    let site = site();
    let new = json!({ "username": "late" });
    site.set(&json!({ "shift": { "after_page": 2, "create": new } }));
    assert_eq!(walk(&site, "orderby=id").0, [1, 2, 3, 4, 5, 6]);
}
