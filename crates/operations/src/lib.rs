//! What the portal, the HTTP API and the command line share: documents of requests and grants, access reports,
//! access tokens, and evidence to export or examine. Deliberately absent: pages, routes and arguments.

pub mod access_report;
pub mod access_token;
pub mod audit_listing;
pub mod bundle_files;
pub mod directory_file;
pub mod documents;
pub mod examine;
pub mod export;
pub mod log_files;
pub mod scopes;
