//! The index, the list, one user, and oneself (`wordpress.md` 1 to 4).

use serde_json::{Map, Value, json};

use super::{
    asked::{Answer, Asked, Route},
    caller::Caller,
    params::{LISTS, Params, Wanted},
    refusal::Refusal,
    site::Site,
    user::{Context, User},
    wording::folded,
};

/// The index of the API: what there is, and whether application passwords can be used.
pub(super) fn index(site: &Site) -> Answer {
    let authorization = format!("{}/wp-admin/authorize-application.php", site.home);
    let authentication = if site.settings.application_passwords {
        json!({ "application-passwords": { "endpoints": { "authorization": authorization } } })
    } else {
        json!([])
    };
    let route = |methods: &[&str]| json!({ "namespace": "wp/v2", "methods": methods });
    let mut namespaces = vec!["oembed/1.0", "wp/v2", "wp-site-health/v1", "wp-block-editor/v1"];
    if site.settings.version.knows_search_columns() {
        namespaces.push("wp-abilities/v1");
    }
    Answer::ok(json!({
        "name": "Homeward lab",
        "description": "",
        "url": site.home,
        "home": site.home,
        "gmt_offset": "0",
        "timezone_string": "",
        "namespaces": namespaces,
        "authentication": authentication,
        "routes": {
            "/wp/v2/users": route(&["GET", "POST"]),
            "/wp/v2/users/(?P<id>[\\d]+)": route(&["GET", "POST", "PUT", "PATCH", "DELETE"]),
            "/wp/v2/users/me": route(&["GET", "POST", "PUT", "PATCH", "DELETE"]),
        },
    }))
}

/// Whether somebody may have this list.
pub(super) fn may_list(caller: &Caller, params: &Params) -> Result<(), Refusal> {
    if caller.can("list_users") {
        return Ok(());
    }
    let refused = |code: &str, what: &str| Err(caller.refused(code, &format!("Sorry, you are not allowed to {what}.")));
    let order = params.value("orderby").and_then(Value::as_str).unwrap_or_default();
    if !params.is_empty("roles") {
        refused("rest_user_cannot_view", "filter users by role")
    } else if !params.is_empty("capabilities") {
        refused("rest_user_cannot_view", "filter users by capability")
    } else if params.context() == Context::Edit {
        refused("rest_forbidden_context", "edit users")
    } else if matches!(order, "email" | "registered_date") {
        refused("rest_forbidden_orderby", "order users by this parameter")
    } else {
        Ok(())
    }
}

/// Whether somebody may see this user in this context.
pub(super) fn may_read(site: &Site, caller: &Caller, id: u64, context: Context) -> Result<(), Refusal> {
    let user = site.users.get(id).ok_or_else(Refusal::no_user)?;
    if caller.id() == Some(id) {
        Ok(())
    } else if context == Context::Edit && !caller.can_edit(id) {
        Err(caller.refused("rest_forbidden_context", "Sorry, you are not allowed to edit this user."))
    } else if !user.posts && !caller.can_edit(id) && !caller.can("list_users") {
        Err(caller.refused("rest_user_cannot_view", "Sorry, you are not allowed to list users."))
    } else {
        Ok(())
    }
}

/// One page of users. Rows that the caller may not edit are left out of `context=edit`, and the totals count them.
pub(super) fn list(site: &Site, caller: &Caller, asked: &Asked) -> Result<Answer, Refusal> {
    let wanted = Wanted::read(&asked.params, site.settings.version)?;
    may_list(caller, &asked.params)?;
    let sees_all = caller.can("list_users");
    let mut found: Vec<&User> = site.users.all().filter(|user| sees_all || user.posts).collect();
    found.retain(|user| is_wanted(user, &wanted));
    sort(&mut found, &wanted);

    let total = found.len() as u64;
    let pages = total.div_ceil(wanted.per_page);
    let skipped = wanted.offset.unwrap_or_else(|| (wanted.page - 1).saturating_mul(wanted.per_page));
    let page = skipped / wanted.per_page + 1;
    let rows = found.into_iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX));
    let rows = rows.take(usize::try_from(wanted.per_page).unwrap_or_default());
    let rows = rows.filter(|user| wanted.context != Context::Edit || caller.can_edit(user.id));
    let rows: Vec<Value> = rows.map(|user| row(site, caller, asked, user, wanted.context).into()).collect();

    let base = site.base();
    let mut query = asked.query.clone();
    query.understand_lists(if site.settings.version.knows_search_columns() { &LISTS } else { &OLD_LISTS });
    let link = |page: u64, rel: &str| format!("<{}>; rel=\"{rel}\"", base.page("/wp/v2/users", &query, page));
    let previous = (page > 1).then(|| link((page - 1).min(pages), "prev"));
    let next = (page < pages).then(|| link(page + 1, "next"));
    let links: Vec<String> = previous.into_iter().chain(next).collect();
    let mut answer = Answer::ok(rows.into());
    answer.headers = vec![("x-wp-total", total.to_string()), ("x-wp-totalpages", pages.to_string())];
    // PHP keeps one header of a name: the links of a list take the place of the link to the root.
    answer.link = (!links.is_empty()).then(|| links.join(", "));
    answer.page = Some(page);
    Ok(answer)
}

/// What of the lists was known before `search_columns` was.
const OLD_LISTS: [&str; 5] = ["exclude", "include", "slug", "roles", "capabilities"];

fn is_wanted(user: &User, wanted: &Wanted) -> bool {
    let capabilities = || super::roles::capabilities(&user.roles);
    (wanted.include.is_empty() || wanted.include.contains(&user.id))
        && !wanted.exclude.contains(&user.id)
        && (wanted.slugs.is_empty() || wanted.slugs.contains(&user.slug))
        && (wanted.roles.is_empty() || user.has_role(&wanted.roles))
        && (wanted.capabilities.is_empty() || wanted.capabilities.iter().any(|one| capabilities().contains_key(one)))
        && (wanted.search.is_empty() || is_found(user, &folded(&wanted.search), &wanted.columns))
}

/// True where one of the columns holds the text; no columns are all of them.
fn is_found(user: &User, text: &str, columns: &[String]) -> bool {
    let id = user.id.to_string();
    let all =
        [("id", &id), ("username", &user.username), ("slug", &user.slug), ("email", &user.email), ("name", &user.name)];
    let is_asked = |name: &str| columns.is_empty() || columns.iter().any(|column| column == name);
    all.iter().any(|(name, value)| is_asked(name) && folded(value).contains(text))
}

fn sort(users: &mut [&User], wanted: &Wanted) {
    let place = |id: u64| wanted.include.iter().position(|wanted| *wanted == id);
    let place_of_slug = |slug: &String| wanted.slugs.iter().position(|wanted| wanted == slug);
    match wanted.order_by.as_str() {
        "id" => users.sort_by_key(|user| user.id),
        "include" => users.sort_by_key(|user| (place(user.id), user.id)),
        "include_slugs" => users.sort_by_key(|user| (place_of_slug(&user.slug), user.id)),
        "registered_date" => users.sort_by_key(|user| (&user.registered_date, user.id)),
        "slug" => users.sort_by_cached_key(|user| (folded(&user.slug), user.id)),
        "email" => users.sort_by_cached_key(|user| (folded(&user.email), user.id)),
        "url" => users.sort_by_cached_key(|user| (folded(&user.url), user.id)),
        _ => users.sort_by_cached_key(|user| (folded(&user.name), user.id)),
    }
    // An order that somebody gave has no other way round.
    if wanted.descending && !wanted.order_by.starts_with("include") {
        users.reverse();
    }
}

/// One user by her id.
pub(super) fn one(site: &Site, caller: &Caller, asked: &Asked, id: u64) -> Result<Answer, Refusal> {
    judge_context(&asked.params)?;
    let context = asked.params.context();
    may_read(site, caller, id, context)?;
    let user = site.users.get(id).ok_or_else(Refusal::no_user)?;
    Ok(Answer::ok(row(site, caller, asked, user, context).into()))
}

/// The caller.
pub(super) fn me(site: &Site, caller: &Caller, asked: &Asked) -> Result<Answer, Refusal> {
    judge_context(&asked.params)?;
    let user = caller.id().and_then(|id| site.users.get(id)).ok_or_else(Refusal::nobody_signed_in)?;
    Ok(Answer::ok(row(site, caller, asked, user, asked.params.context()).into()))
}

fn judge_context(params: &Params) -> Result<(), Refusal> {
    let mut judge = super::params::Judge::new(params);
    judge.word("context", &["view", "embed", "edit"]);
    judge.verdict()
}

/// A user as the answer holds her: with links, and narrowed to `_fields`.
pub(super) fn row(site: &Site, caller: &Caller, asked: &Asked, user: &User, context: Context) -> Map<String, Value> {
    let base = site.base();
    let showing = site.showing(&base);
    let mut shown = user.shown(context, showing);
    let allowed = super::asked::allowed(site, caller, &Route::One(user.id), &Params::default());
    shown.insert("_links".to_owned(), user.links(&allowed, showing));
    let fields = asked.params.list("_fields");
    if fields.is_empty() { shown } else { narrowed(&shown, &fields) }
}

/// What of a user these fields name; `meta.office` names a part of one.
fn narrowed(shown: &Map<String, Value>, fields: &[String]) -> Map<String, Value> {
    let kept = |(name, value): (&String, &Value)| {
        if fields.contains(name) {
            return Some((name.clone(), value.clone()));
        }
        let whole = value.as_object()?;
        let parts = fields.iter().filter_map(|field| field.strip_prefix(name.as_str())?.strip_prefix('.'));
        let parts: Map<String, Value> =
            parts.filter_map(|part| Some((part.to_owned(), whole.get(part)?.clone()))).collect();
        (!parts.is_empty()).then(|| (name.clone(), parts.into()))
    };
    shown.iter().filter_map(kept).collect()
}
