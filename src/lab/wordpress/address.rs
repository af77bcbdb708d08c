//! Where the API is: pretty and plain permalinks, in what is asked and in what is told (`wordpress.md` 1).

use super::{query::Query, settings::Permalinks, user::User};

/// The address of the site, and the form of the addresses in it.
#[derive(Clone, Debug)]
pub(super) struct Base {
    /// Without a slash at the end.
    pub(super) home: String,
    pub(super) permalinks: Permalinks,
}

impl Base {
    /// The address of a route, such as `/wp/v2/users`.
    pub(super) fn rest(&self, route: &str) -> String {
        match self.permalinks {
            Permalinks::Pretty => format!("{}/wp-json{route}", self.home),
            Permalinks::Plain => format!("{}/index.php?rest_route={route}", self.home),
        }
    }

    /// The root of the API, as the `Link` header of every page announces it.
    pub(super) fn root_link(&self) -> String {
        format!("<{}>; rel=\"https://api.w.org/\"", self.rest("/"))
    }

    /// The page of somebody's posts.
    pub(super) fn author(&self, user: &User) -> String {
        match self.permalinks {
            Permalinks::Pretty => format!("{}/author/{}/", self.home, user.slug),
            Permalinks::Plain => format!("{}/?author={}", self.home, user.id),
        }
    }

    /// The address of a page of a list, with everything else that was asked for.
    pub(super) fn page(&self, route: &str, query: &Query, page: u64) -> String {
        let mut query = query.clone();
        if self.permalinks == Permalinks::Plain {
            query.put_first("rest_route", route);
        }
        query.put("page", &page.to_string());
        match self.permalinks {
            Permalinks::Pretty => format!("{}?{query}", self.rest(route)),
            Permalinks::Plain => format!("{}/index.php?{query}", self.home),
        }
    }
}

/// Where a request leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// A route of the API, such as `/wp/v2/users`; `/` is its index.
    Rest(String),
    /// The front page.
    Home,
    /// A path that looks like the API where there are no pretty paths: WordPress takes it for a page and corrects it.
    Elsewhere(String),
    /// No page.
    Nowhere,
}

/// Where a path with this query leads on a site with such permalinks.
pub(super) fn destination(path: &str, query: &Query, permalinks: Permalinks) -> Destination {
    let route = |text: &str| match text.trim_end_matches('/') {
        "" => Destination::Rest("/".to_owned()),
        route => Destination::Rest(route.to_owned()),
    };
    if let Some(asked) = query.text("rest_route").filter(|asked| !asked.is_empty()) {
        return route(asked);
    }
    let below_index = path.strip_prefix("/index.php").unwrap_or(path);
    let below = below_index.strip_prefix("/wp-json").filter(|rest| rest.is_empty() || rest.starts_with('/'));
    match (below, permalinks) {
        (Some(rest), Permalinks::Pretty) => route(rest),
        (Some(_), Permalinks::Plain) if !path.ends_with('/') => Destination::Elsewhere(format!("{path}/")),
        _ if matches!(path, "/" | "/index.php") => Destination::Home,
        _ => Destination::Nowhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_found_in_every_form_a_site_has() {
        let at = |path: &str, query: &str, permalinks| destination(path, &Query::read(query), permalinks);
        let users = Destination::Rest("/wp/v2/users".to_owned());
        for (path, query) in [
            ("/wp-json/wp/v2/users", ""),
            ("/wp-json/wp/v2/users/", "context=edit"),
            ("/index.php/wp-json/wp/v2/users", ""),
            ("/", "rest_route=/wp/v2/users"),
            ("/index.php", "rest_route=%2Fwp%2Fv2%2Fusers%2F"),
        ] {
            assert_eq!(at(path, query, Permalinks::Pretty), users, "{path}");
        }
        assert_eq!(at("/", "rest_route=/wp/v2/users", Permalinks::Plain), users);
        assert_eq!(at("/wp-json/", "", Permalinks::Pretty), Destination::Rest("/".to_owned()));
        let corrected = Destination::Elsewhere("/wp-json/wp/v2/users/".to_owned());
        assert_eq!(at("/wp-json/wp/v2/users", "context=edit", Permalinks::Plain), corrected);
        assert_eq!(at("/wp-json/wp/v2/users/", "", Permalinks::Plain), Destination::Nowhere);
        assert_eq!(at("/wp-jsonp", "", Permalinks::Pretty), Destination::Nowhere);
        assert_eq!(at("/", "", Permalinks::Plain), Destination::Home);
    }
}
