//! What a list says about itself. Invariant: a field that is missing, `null` or of another type is empty.
use crate::error::Fault;
use crate::object::string_member;
use crate::object::view::utf8;
use crate::scan::cursor::Cursor;
use std::borrow::Cow;

/// What a list says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListMeta {
    /// `apiVersion` of the list.
    pub api_version: String,
    /// `kind` of the list: that of an item with `List` behind it.
    pub kind: String,
    /// `metadata.resourceVersion`, "" when missing.
    pub resource_version: String,
    /// `metadata.continue`; "" means that this was the last page.
    pub continue_token: String,
    /// `metadata.remainingItemCount`.
    pub remaining_item_count: Option<i64>,
    /// `metadata.shardInfo.selector`: present iff the server has applied a shard selector.
    pub shard_selector: Option<String>,
}

impl ListMeta {
    /// Takes over what the value of `metadata` holds.
    pub(super) fn read_metadata(&mut self, value: &[u8]) -> Result<(), Fault> {
        let json = utf8(value)?;
        let text = |name| {
            string_member(json, name).map(|text| text.map_or_else(String::new, Cow::into_owned))
        };
        self.resource_version = text("resourceVersion")?;
        self.continue_token = text("continue")?;
        self.remaining_item_count = None;
        self.shard_selector = None;
        let mut cursor = Cursor::new(value, 1);
        let mut first = true;
        while let Some(key) = cursor.next_key(&mut first)? {
            let name = cursor.key(key);
            let (start, end) = cursor.skip_value()?;
            match &*name {
                b"remainingItemCount" => self.remaining_item_count = json[start..end].parse().ok(),
                b"shardInfo" if value[start] == b'{' => {
                    let selector = string_member(&json[start..end], "selector");
                    let selector = selector.map_err(|fault| Fault {
                        at: start + fault.at,
                        ..fault
                    })?;
                    self.shard_selector = selector.map(Cow::into_owned);
                }
                _ => {}
            }
        }
        Ok(())
    }
}
