//! One call to make: its route, its path, what it brings.

use serde_json::Value;

use super::id::Id;

/// A kind of call.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Method and path, its variable segments in braces.
    pub template: &'static str,
    /// The value of the `Version` header that the route's family declares.
    pub version: &'static str,
    /// The scope that it needs.
    pub scope: &'static str,
}

impl Route {
    /// A reading route of the contacts family.
    pub const fn read_contacts(template: &'static str) -> Self {
        Self { template, version: "2021-07-28", scope: "contacts.readonly" }
    }

    /// A writing route of the contacts family.
    pub const fn write_contacts(template: &'static str) -> Self {
        Self { template, version: "2021-07-28", scope: "contacts.write" }
    }

    /// What is refused along with a call that is refused for lack of a scope: of changes, every one; of reads, those of the
    /// route alone, since a list that is refused must not take the answers of the others along.
    pub(super) fn refused_with(&self) -> &'static str {
        match self.scope.ends_with(".write") {
            true => self.scope,
            false => self.template,
        }
    }

    /// The template is method and path, with a blank between.
    pub(super) fn parts(&self) -> (&'static str, &'static str) {
        self.template.split_once(' ').unwrap_or(("GET", self.template))
    }
}

/// One call to make.
#[derive(Clone, Debug)]
pub struct Call {
    pub(super) route: Route,
    pub(super) path: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
}

impl Call {
    /// Fills the variable segments of the route with `ids`, in order.
    pub fn to(route: Route, ids: &[&Id]) -> Self {
        let (_, template) = route.parts();
        let mut ids = ids.iter();
        let mut path = String::with_capacity(2 * template.len());
        for segment in template.split('/').skip(1) {
            path.push('/');
            match segment.starts_with('{').then(|| ids.next()).flatten() {
                Some(id) => path.extend(id.segment()),
                None => path.push_str(segment),
            }
        }
        Self { route, path, query: Vec::new(), body: None }
    }

    /// Gives it a JSON body.
    #[must_use]
    pub fn body(self, body: impl Into<Value>) -> Self {
        Self { body: Some(body.into()), ..self }
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &(impl ToString + ?Sized)) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// Whether the path has the id of a contact, a task or a note in it.
    pub fn names_a_record(&self) -> bool {
        self.route.template.contains("{contactId}")
    }

    /// The route that is called.
    pub fn route(&self) -> &'static str {
        self.route.template
    }
}
