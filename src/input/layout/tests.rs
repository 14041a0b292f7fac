//! Columns of tables, told by their names and by what was said of them.

use super::*;
use crate::input::format::Delimiter;

fn layout(header: &[&str]) -> Layout {
    let header: Vec<_> = header.iter().map(|name| (*name).to_owned()).collect();
    let format = Format::Csv(Delimiter::COMMA);
    Layout::new(format, Encoding::Utf8, &ColumnChoice::default()).of_header(&header)
}

#[test]
fn a_prefixed_name_goes_before_a_plain_one() {
    let layout = layout(&["location_id", "ghl_location_id"]);
    assert_eq!(layout.with(Role::Location).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn general_names_serve_only_where_no_better_one_is_there() {
    assert_eq!(layout(&["id", "name"]).fallback().count(), 1);
    assert_eq!(layout(&["id", "location_id"]).fallback().count(), 0);
    assert_eq!(layout(&["_id", "resourceId"]).fallback().count(), 0);
}

#[test]
fn what_was_said_of_a_column_goes_before_its_name() {
    let choice = ColumnChoice {
        id: Some("Standort-ID".into()),
        company: Some("agentur nr".into()),
        kind: Some("Art".into()),
        ..ColumnChoice::default()
    };
    let header = ["Standort-ID", "location_id", "Agentur-Nr", "company_id", "Art", "type"];
    let header = header.map(str::to_owned);
    let format = Format::Csv(Delimiter::COMMA);
    let layout = Layout::new(format, Encoding::Utf8, &choice).of_header(&header);
    assert_eq!(layout.shape.location_columns, ["Standort-ID"]);
    assert_eq!(layout.shape.company_columns, ["Agentur-Nr"]);
    assert_eq!(layout.kind().next(), Some(4));
    assert_eq!(layout.shape.columns, header);
    assert_eq!(layout.missing(), None);
    let choice = ColumnChoice { kind: Some("Sorte".into()), ..ColumnChoice::default() };
    let layout = Layout::new(Format::JsonArray, Encoding::Utf8, &choice).of_header(&header);
    assert_eq!(layout.missing(), Some(("--kind-column", "Sorte".into())));
}

#[test]
fn token_columns_are_left_out_and_named() {
    let shape = layout(&["location_id", "Access Token", "token_expires_at", "refresh_token"]).shape;
    assert_eq!(shape.columns, ["location_id", "token_expires_at"]);
    assert_eq!(shape.left_out, ["Access Token", "refresh_token"]);
    assert_eq!(shape.found.len(), 4);
}

#[test]
fn the_last_column_of_each_of_our_names_is_ours() {
    let layout = layout(&[
        "location_id",
        "status",
        "message",
        "status",
        "error_class",
        "stage",
        "http_status",
        "message",
        "retry",
        "attempts_total",
        "first_failed_at",
        "failed_at",
        "trace_ids",
    ]);
    assert_eq!(layout.shape.columns, ["location_id", "status", "message"]);
    assert_eq!(layout.shape.continues, Continues::EarlierRun);
    assert_eq!(layout.history().unwrap().attempts_total, 9);
}

#[test]
fn a_status_column_alone_is_the_lists_own() {
    let layout = layout(&["location_id", "status", "attempts_total"]);
    assert_eq!(layout.shape.columns.len(), 3);
    assert!(layout.history().is_none());
}

#[test]
fn a_shape_is_told_in_a_line() {
    let known = layout(&["location_id", "company_id"]).shape.to_string();
    assert_eq!(
        known,
        "CSV, separated by commas, UTF-8, location ids in location_id, company ids in company_id"
    );
    assert!(layout(&["id"]).shape.to_string().contains("ids taken from id"));
}

#[test]
fn a_token_in_the_header_is_not_shown() {
    let shape = layout(&["location_id", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"]).shape;
    assert!(!format!("{shape:?}").contains("eyJ"));
}
