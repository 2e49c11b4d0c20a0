//! The pure rules: no I/O, no clock, no async.

pub mod answer;
pub mod account;
pub mod api_key;
pub mod base64;
pub mod client_address;
pub mod composition;
pub mod complaint;
pub mod credit;
pub mod entries;
pub mod form;
pub mod global_address;
pub mod image_header;
pub mod limit;
pub mod multipart;
pub mod network;
pub mod order_fault;
pub mod period;
pub mod picture_url;
pub mod plan;
pub mod rate_limit;
pub mod refusal;
pub mod rembg_form;
pub mod removebg;
pub mod time;
pub mod transfer;
pub mod usage_report;
