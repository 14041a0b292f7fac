//! What is told a token, and what is not.

use super::*;

#[test]
fn a_token_is_told_from_ciphertext_masks_and_placeholders() {
    use TokenShape::{Ciphertext, NoToken, Nothing, Token};
    let jwt = "eyJhbGciOiJSUzI1NiJ9.eyJhdXRoQ2xhc3MiOiJMb2NhdGlvbiJ9.c2lnbmF0dXJl";
    let long = "kR7_pQ2x".repeat(40);
    for (text, known) in [
        ("", Nothing),
        (jwt, Token),
        ("0123456789abcdef0123456789abcdef01234567", Token),
        ("rt-4f9Kc2.Qm81_zzTe0~x7Ab", Token),
        ("ac7-this-is-the-old-refresh-token", Token),
        ("wQ2kxFzR8tYvB1nM5cLd7sPa", Token),
        // Ciphertext.
        ("gAAAAABlZm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9v", Ciphertext),
        ("U2FsdGVkX18rZm9vYmFyYmF6cXV4", Ciphertext),
        ("AQICAHhRZm9vYmFyYmF6cXV4Zm9vYmFy", Ciphertext),
        ("enc:v1:Zm9vYmFy", Ciphertext),
        ("ENC[AES256_GCM,data:Zm9v,iv:YmFy,tag:cXV4]", Ciphertext),
        ("v1:aGVsbG8gd29ybGQ", Ciphertext),
        ("vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w==", Ciphertext),
        ("000102030405060708090a0b:a1b2c3d4e5f60718:00112233445566778899aabbccddeeff", Ciphertext),
        ("AAECAwQFBgcICQoL.c29tZXRoaW5nIGxvbmc.ABEiM0RVZneImaq7zN3u_w", Ciphertext),
        ("kZm9vYmFyYmF6cXV4Zm9vYmFy--AAECAwQFBgcICQoL--ABEiM0RVZneImaq7zN3u/w==", Ciphertext),
        ("3q2+7wZm9vYmFyYmF6/XV4Zm9vYmFyYmF6cXV4", Ciphertext),
        ("Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYg==", Ciphertext),
        (&"0123456789abcdef".repeat(4), Ciphertext),
        (&"0123456789abcdef".repeat(40), Ciphertext),
        (&long, Ciphertext),
        (r#"{"iv":"00ff","content":"a1b2"}"#, Ciphertext),
        (r#"{"type":"Buffer","data":[1,2]}"#, Ciphertext),
        (r#"{"$binary":{"base64":"AA==","subType":"00"}}"#, Ciphertext),
        ("eyJpdiI6IkFBPT0iLCJ2YWx1ZSI6IkJCPT0iLCJtYWMiOiIwMCJ9", Ciphertext),
        ("eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAECAwQFBgcICQoL.Zm9v.YmFy", Ciphertext),
        (r"\x00ff10", Ciphertext),
        ("$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW", Ciphertext),
        // Neither.
        ("****************abcd", NoToken),
        ("abcd…wxyz", NoToken),
        ("eyJhbGciOi...", NoToken),
        ("xxxxxxxxxxxxxxxxxxxxxxxx", NoToken),
        ("YOUR_REFRESH_TOKEN_GOES_HERE", NoToken),
        ("<refresh_token_of_this_row>", NoToken),
        ("not-a-token", NoToken),
        ("yes", NoToken),
        ("ve9EPM428h8vShlRW1KT", NoToken),
        ("66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef", NoToken),
        ("1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", NoToken),
        ("pit-1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", NoToken),
        ("https://vault.example/secret/data/abc", NoToken),
        ("ask Jane, she has the token", NoToken),
        ("jane.doe.of.accounting@example.com", NoToken),
        // In doubt it is not used.
        ("5f9a1b2c3d4e5f6a7b8c9d0e", NoToken),
        ("0123456789abcdef0123456789abcdef", NoToken),
        ("services.leadconnectorhq.com", NoToken),
        ("conversations.readonly", NoToken),
        ("20260102.030405.0607080", NoToken),
    ] {
        assert_eq!(shape(text), known, "{text}");
    }
}

#[test]
fn an_echoed_secret_is_cut_out() {
    let jwt = "eyJhbGciOiJub25lIn0.eyJhdXRoQ2xhc3MiOiJMb2NhdGlvbiJ9.c2ln";
    for (text, clean) in [
        (format!("token {jwt} is bad"), "token [token] is bad".to_owned()),
        ("eyJ is short".to_owned(), "eyJ is short".to_owned()),
        (
            r#"oops {\"access_token\": \"at.0123456789\", \"scope\": \"s\"}"#.to_owned(),
            r#"oops {\"access_token\": \"[secret]\", \"scope\": \"s\"}"#.to_owned(),
        ),
        ("x?code=0123456789abcdef&y".to_owned(), "x?code=[secret]&y".to_owned()),
        ("access_token is missing".to_owned(), "access_token is missing".to_owned()),
        ("pit-6d3c5a52-6f5e-4a8e-9f3e-1c2b3a4d5e6f!".to_owned(), "[token]!".to_owned()),
    ] {
        assert_eq!(cut_out_tokens(&text), clean);
    }
}

#[test]
fn what_looks_opaque_is_told_from_ids_names_and_keys() {
    use Suspicion::{Strict, Usual};
    for (text, usual, strict) in [
        ("kR7pQ2xv9TzL4mWc8YbN3hJd", false, true),
        ("kR7pQ2xv9TzL4mWc8YbN3hJdkR7pQ2xv9TzL4mWc", true, true),
        ("rt_4f9Kc2Qm81zzTe0x7Ab", true, true),
        ("live-refresh-token-of-000001", true, true),
        ("opaque-secret-value-0123456789", true, true),
        ("0123456789abcdef0123456789abcdef01234567", true, true),
        ("bGl2ZS1yZWZyZXNoLXRva2VuLW9mLTAwMDAwMQ==", true, true),
        ("sub_1MowQVLkdIwHu7ixeraGi6eX9aB1", false, true),
        ("ve9EPM428h8vShlRW1KT", false, false),
        ("5f9a1b2c3d4e5f6a7b8c9d0e", false, false),
        ("1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", false, false),
        ("66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef", false, false),
        ("acme-dental-of-greater-new-york-2024", false, false),
        ("2026-10-08T07:00:00.000Z", false, false),
        ("Secretary of the year 2024", false, false),
    ] {
        assert_eq!(holds_opaque(text, Usual), usual, "{text}");
        assert_eq!(holds_opaque(text, Strict), strict, "{text}");
    }
}

#[test]
fn a_password_in_a_url_counts_as_a_token() {
    for text in ["postgres://u:hunter2@db/x", "conn: mysql://app:p%40ss@10.0.0.1:3306", "x://:pw@h"]
    {
        assert!(holds_token(text), "{text}");
    }
    let innocent =
        ["https://a.example/b:c@d", "https://user@host/x", "mailto:a@b.example", "x://u:@h"];
    for text in innocent {
        assert!(!holds_token(text), "{text}");
    }
}
