//! A route: what the files of nouns offer, and the table of routes gathers.

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, any, on};
use veracta_governance::access::Permission;

/// One route: its method, its path, what a caller needs, and what answers.
pub(crate) struct Endpoint {
    /// `GET`, or `*` for every method.
    pub(crate) method: &'static str,
    /// Pattern of the path, in the syntax of axum.
    pub(crate) path: String,
    /// Permission that a caller needs.
    pub(crate) needs: Permission,
    /// Handler that answers that method on that path.
    pub(crate) handler: MethodRouter,
}

impl Endpoint {
    /// Returns a route; any method but GET, POST, PUT, PATCH and DELETE means all of them.
    pub(crate) fn new<H, T>(
        method: &'static str,
        path: impl Into<String>,
        needs: Permission,
        handler: H,
    ) -> Self
    where
        H: Handler<T, ()>,
        T: 'static,
    {
        let handler = match method {
            "GET" => on(MethodFilter::GET, handler),
            "POST" => on(MethodFilter::POST, handler),
            "PUT" => on(MethodFilter::PUT, handler),
            "PATCH" => on(MethodFilter::PATCH, handler),
            "DELETE" => on(MethodFilter::DELETE, handler),
            _ => any(handler),
        };
        Self {
            method,
            path: path.into(),
            needs,
            handler,
        }
    }
}
