//! Lists that are odd, large, or nearly none.

use proptest::prelude::*;

use super::*;

#[test]
fn deep_nesting_and_doubled_keys_are_survived() {
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let text = format!(
        "[{{\"locationId\":\"{A}\",\"deep\":{deep}}},{{\"locationId\":\"{B}\",\"locationId\":\"{A}\"}}]"
    );
    assert_eq!(shorts(text), [format!("L {A}"), format!("L {A}")]);
    assert_eq!(records(deep).len(), 1);
}

#[test]
#[ignore = "a measurement: run it in release with --ignored"]
fn a_million_rows_are_read_in_time() {
    use std::io::Write as _;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let mut writer = io::BufWriter::new(file.as_file_mut());
    writeln!(
        writer,
        "location_id,company_id,location_name,company_name,installed_at,token_expires_at"
    )
    .unwrap();
    for n in 0..1_000_000 {
        writeln!(
            writer,
            "ve9EPM428h8vS{n:07},{C},Dental {n},Acme,2026-01-01T00:00:00Z,2026-01-02T00:00:00Z"
        )
        .unwrap();
    }
    drop(writer);
    let start = std::time::Instant::now();
    let list = Source::open(file.path())
        .unwrap()
        .read(ScopeChoice::Auto, &ColumnChoice::default())
        .unwrap();
    let count = list.filter(|r| matches!(r, Ok(Record::Installation(_)))).count();
    assert_eq!(count, 1_000_000);
    let peak = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = peak.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default().to_owned();
    assert!(start.elapsed().as_secs() < 2, "{:?} {peak}", start.elapsed());
}

proptest! {
    #[test]
    fn reading_never_panics_on_arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(list) = open_as(&bytes, ScopeChoice::Auto) {
            list.for_each(drop);
        }
    }

    #[test]
    fn reading_never_panics_on_what_is_nearly_a_list(
        text in "(\\[|\\{\"locations\":\\[|location_id,a\n|\\{)([\\[\\]{}\",:;\\\\ \n\réx0]|\"id\":|ve9EPM428h8vShlRW1KT|\"){0,60}"
    ) {
        for (_, encode) in encodings() {
            if let Ok(list) = open_as(encode(&text), ScopeChoice::Auto) {
                list.for_each(drop);
            }
        }
    }

    #[test]
    fn carried_cells_come_out_exactly_as_they_went_in(
        cells in prop::collection::vec("[^e\u{0}-\u{8}\u{e}-\u{1f}=\\[{p]{0,20}", 1..6)
    ) {
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        let names: Vec<_> = (0..cells.len()).map(|n| format!("c{n}")).collect();
        writer.write_record(std::iter::once("location_id").chain(names.iter().map(String::as_str))).unwrap();
        writer.write_record(std::iter::once(A).chain(cells.iter().map(String::as_str))).unwrap();
        let text = writer.into_inner().unwrap();
        for text in [text.clone(), [b"\xEF\xBB\xBF".to_vec(), text].concat()] {
            prop_assert_eq!(&listed(&text)[0].values[1..], &cells[..]);
        }
        let object: serde_json::Map<_, _> = names.iter().cloned().zip(cells.iter().cloned().map(Into::into)).chain([("locationId".to_owned(), A.into())]).collect();
        let json = serde_json::to_string(&object).unwrap();
        let last = cells.len();
        prop_assert_eq!(&listed(&json)[0].values[..last], &cells[..]);
    }
}
