//! How HighLevel's three SDKs name what they keep of a session.

use ::mongodb::bson::Document;

/// Which SDK writes the collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// `@gohighlevel/api-client` for Node: camelCase around the fields of the API's answer.
    Node,
    /// `gohighlevel-api-client` for Python: the same fields, with `snake_case` around them.
    Python,
    /// `gohighlevel/api-client` for PHP: camelCase around fields that are all in `snake_case`.
    Php,
}

/// The names that differ.
#[derive(Debug)]
pub struct Names {
    /// The client id before the dash.
    pub application: &'static str,
    /// The location or company.
    pub resource: &'static str,
    /// `Location` or `Company`.
    pub user_type: &'static str,
    /// The agency.
    pub company: &'static str,
    /// The sub-account.
    pub location: &'static str,
    /// Who installed the app.
    pub user: &'static str,
    /// When the document was made.
    pub created: &'static str,
    /// When it was last written.
    pub updated: &'static str,
}

const NODE: Names = Names {
    application: "applicationId",
    resource: "resourceId",
    user_type: "userType",
    company: "companyId",
    location: "locationId",
    user: "userId",
    created: "createdAt",
    updated: "updatedAt",
};

const PYTHON: Names = Names {
    application: "application_id",
    resource: "resource_id",
    created: "created_at",
    updated: "updated_at",
    ..NODE
};

const PHP: Names = Names {
    user_type: "user_type",
    company: "company_id",
    location: "location_id",
    user: "user_id",
    ..NODE
};

impl Shape {
    /// The names in use.
    pub fn names(self) -> &'static Names {
        match self {
            Self::Node => &NODE,
            Self::Python => &PYTHON,
            Self::Php => &PHP,
        }
    }

    /// Which SDK has written a document; `None` if none has.
    pub fn of(document: &Document) -> Option<Self> {
        let has = |name: &str| document.contains_key(name);
        let is_keyed = |names: &Names| has(names.application) && has(names.resource);
        let of_session = |names: &Names| {
            [names.user_type, names.company, names.location, names.user].into_iter().any(has)
        };
        if is_keyed(&PYTHON) {
            Some(Self::Python)
        } else if !is_keyed(&NODE) {
            None
        } else if of_session(&PHP) && !of_session(&NODE) {
            Some(Self::Php)
        } else {
            Some(Self::Node)
        }
    }

    /// The name in the plan and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "Node SDK",
            Self::Python => "Python SDK",
            Self::Php => "PHP SDK",
        }
    }
}

#[cfg(test)]
mod tests {
    use ::mongodb::bson::doc;

    use super::*;

    #[test]
    fn a_document_tells_which_sdk_has_written_it() {
        for (document, expected) in [
            (
                doc! {"applicationId": "a", "resourceId": "r", "userType": "Location"},
                Some(Shape::Node),
            ),
            (doc! {"applicationId": "a", "resourceId": "r"}, Some(Shape::Node)),
            (
                doc! {"applicationId": "a", "resourceId": "r", "user_type": "Location"},
                Some(Shape::Php),
            ),
            (
                doc! {"application_id": "a", "resource_id": "r", "userType": "x"},
                Some(Shape::Python),
            ),
            (doc! {"resourceId": "r", "access_token": "x"}, None),
            (doc! {}, None),
        ] {
            assert_eq!(Shape::of(&document), expected, "{document}");
        }
    }
}
