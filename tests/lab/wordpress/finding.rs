//! Where the API is (1).

use serde_json::{Value, json};

use super::site::{Site, column, error, expect};

fn site(permalinks: &str) -> Site {
    Site::new(&json!({ "people": [{ "username": "anna" }], "settings": { "permalinks": permalinks } }))
}

const LIST: &str = "wp/v2/users&context=edit&orderby=id&_fields=username";

#[test]
fn pretty_permalinks_answer_at_every_form_of_the_path() {
    let site = site("pretty");
    let query = "context=edit&orderby=id&_fields=username";
    for target in [
        format!("/wp-json/wp/v2/users?{query}"),
        format!("/wp-json/wp/v2/users/?{query}"),
        format!("/index.php/wp-json/wp/v2/users?{query}"),
        format!("/?rest_route=/{LIST}"),
        format!("/index.php?rest_route=/{LIST}"),
    ] {
        assert_eq!(
            column(&site.ask("GET", &target, &Value::Null), "username"),
            json!(["anna", "homeward"]),
            "{target}"
        );
    }
}

#[test]
fn plain_permalinks_answer_at_the_route_in_the_query_only() {
    let site = site("plain");
    for target in [format!("/?rest_route=/{LIST}"), format!("/index.php?rest_route=/{LIST}")] {
        assert_eq!(
            column(&site.ask("GET", &target, &Value::Null), "username"),
            json!(["anna", "homeward"]),
            "{target}"
        );
    }
    for path in ["/wp-json/wp/v2/users", "/index.php/wp-json/wp/v2/users"] {
        let moved = site.ask("GET", &format!("{path}?context=edit"), &Value::Null);
        assert_eq!((moved.status, moved.text.as_str()), (301, ""));
        assert_eq!(moved.headers["location"], format!("{}{path}/?context=edit", site.url()));
    }
    let page = site.ask("GET", "/wp-json/wp/v2/users/?context=edit", &Value::Null);
    assert_eq!((page.status, page.headers["content-type"].as_str()), (404, "text/html; charset=UTF-8"));
}

#[test]
fn any_page_announces_the_root_of_the_api() {
    for (permalinks, root) in [("pretty", "/wp-json/"), ("plain", "/index.php?rest_route=/")] {
        let site = site(permalinks);
        for (method, path, status) in [("HEAD", "/", 200), ("GET", "/", 200), ("GET", "/people", 404)] {
            let page = site.ask(method, path, &Value::Null);
            let link = format!("<{}{root}>; rel=\"https://api.w.org/\"", site.url());
            assert_eq!((page.status, &page.headers["link"]), (status, &link), "{method} {path}");
        }
        let root = site.ask("GET", root, &Value::Null);
        assert_eq!(root.json()["home"], site.url());
    }
}

#[test]
fn links_and_locations_have_the_form_of_the_permalinks() {
    let site = site("plain");
    let url = site.url();
    let body = json!({ "username": "ben", "email": "ben@example.com", "password": "x" });
    let made = site.ask("POST", "/?rest_route=/wp/v2/users", &body);
    assert_eq!(made.headers["location"], format!("{url}/index.php?rest_route=/wp/v2/users/3"));
    assert_eq!(made.json()["link"], format!("{url}/?author=3"));
    let page = site.ask("GET", "/?rest_route=/wp/v2/users&context=edit&per_page=1&page=2", &Value::Null);
    let link = |page: u64| format!("{url}/index.php?rest_route=%2Fwp%2Fv2%2Fusers&context=edit&per_page=1&page={page}");
    assert_eq!(page.headers["link"], format!("<{}>; rel=\"prev\", <{}>; rel=\"next\"", link(1), link(3)));
}

#[test]
fn what_is_no_route_or_no_method_of_one_is_not_found() {
    let site = site("pretty");
    let none = error(404, "rest_no_route", "No route was found matching the URL and request method.");
    for (method, path) in [
        ("GET", "/wp-json/wp/v2/people"),
        ("GET", "/wp-json/wp/v2/users/anna"),
        ("PATCH", "/wp-json/wp/v2/users"),
        ("DELETE", "/wp-json/wp/v2/users"),
        ("POST", "/wp-json/"),
        ("POST", "/wp-json/batch/v1"),
    ] {
        expect(&site.ask(method, path, &Value::Null), 404, &none);
    }
}
