//! MessagePack as waSCC uses it: a struct is a map with string keys, or in the short form an array of its fields.
//!
//! `decode` and `encode` work on any struct whose fields have these types:
//!
//!     []const u8    a string, checked to be UTF-8 when read
//!     an integer    read up to 2**63 - 1; written only if of an unsigned type
//!     Bytes         binary data (encode only)
//!     StringMap     a map from strings to strings (encode only)
//!     Ignored       any value at all, which is skipped (decode only)
//!
//! Decoding takes keys in any order, fills absent fields from the struct's default values, and skips keys it does not
//! know and bytes after the value: the peers that an actor meets rely on each of these. Input may be hostile. Reading
//! never leaves the input, never recurses, and takes time in proportion to the bytes there are, not to the lengths
//! they claim.

const std = @import("std");

pub const Bytes = struct { bytes: []const u8 };
pub const StringMap = struct { entries: []const [2][]const u8 };
pub const Ignored = struct {};

pub const Error = error{ Truncated, UnexpectedType, IntegerOutOfRange, InvalidUtf8, MissingField };

/// Read a T from the start of `message`. Strings in the result point into the message.
pub fn decode(comptime T: type, message: []const u8) Error!T {
    const info = @typeInfo(T).@"struct";
    var reader = Reader{ .rest = message };
    var value: T = undefined;
    var present: [info.field_names.len]bool = @splat(false);
    const outer = try reader.next();
    switch (outer.kind) {
        .array => {
            inline for (info.field_names, info.field_types, 0..) |name, Type, i| {
                if (i < outer.size) {
                    @field(value, name) = try reader.read(Type);
                    present[i] = true;
                }
            }
            try reader.skip(outer.size -| info.field_names.len);
        },
        .map => for (0..@intCast(outer.size)) |_| {
            const key = try reader.string();
            inline for (info.field_names, info.field_types, 0..) |name, Type, i| {
                if (isName(key, name)) {
                    @field(value, name) = try reader.read(Type);
                    present[i] = true;
                    break;
                }
            } else try reader.skip(1);
        },
        else => return error.UnexpectedType,
    }
    inline for (info.field_names, info.field_types, info.field_attrs, present) |name, Type, attributes, is_present| {
        if (!is_present) @field(value, name) = attributes.defaultValue(Type) orelse return missing(name);
    }
    return value;
}

/// Compare as one number instead of byte by byte: keys are most of what decoding looks at.
inline fn isName(key: []const u8, comptime name: []const u8) bool {
    const Number = @Int(.unsigned, 8 * name.len);
    const expected = comptime std.mem.readInt(Number, name[0..name.len], .little);
    return key.len == name.len and std.mem.readInt(Number, key[0..name.len], .little) == expected;
}

/// Write the struct `value` as a map, fields in declared order, into memory that `allocate` provides.
pub fn encode(value: anytype, allocate: anytype) @TypeOf(allocate(0)) {
    const names = @typeInfo(@TypeOf(value)).@"struct".field_names;
    comptime std.debug.assert(names.len <= 0x0f);
    var bound: usize = 1;
    inline for (names) |name| bound += sizeBound(name) + sizeBound(@field(value, name));
    var writer = Writer{ .buffer = try allocate(bound) };
    writer.byte(0x80 | names.len);
    inline for (names) |name| {
        writer.string(name);
        writer.write(@field(value, name));
    }
    return writer.buffer[0..writer.length];
}

/// Why decoding failed, in parts that make one text for people.
pub fn explain(reason: Error) [2][]const u8 {
    return switch (reason) {
        error.Truncated => .{ "the message ends too early", "" },
        error.UnexpectedType => .{ "a value has the wrong type", "" },
        error.IntegerOutOfRange => .{ "an integer is out of range", "" },
        error.InvalidUtf8 => .{ "a string is not valid UTF-8", "" },
        error.MissingField => .{ "missing field ", missing_field },
    };
}

/// The field that the latest error.MissingField is about; an error itself carries no data.
var missing_field: []const u8 = "";

fn missing(name: []const u8) Error {
    missing_field = name;
    return error.MissingField;
}

/// The start of a value, up to its content.
const Head = struct {
    kind: enum { fixint, unsigned, signed, string, array, map, other },
    /// The number itself of a fixint (as a byte), elements of an array, entries of a map, else bytes of content.
    size: u64,
};

const Reader = struct {
    rest: []const u8,

    inline fn read(self: *Reader, comptime T: type) Error!T {
        if (T == []const u8) return self.text();
        if (T != Ignored) return std.math.cast(T, try self.integer()) orelse error.IntegerOutOfRange;
        try self.skip(1);
        return .{};
    }

    fn text(self: *Reader) Error![]const u8 {
        const bytes = try self.string();
        return if (std.unicode.utf8ValidateSlice(bytes)) bytes else error.InvalidUtf8;
    }

    /// A string's bytes, whatever they are.
    fn string(self: *Reader) Error![]const u8 {
        const head = try self.next();
        return if (head.kind == .string) self.take(head.size) else error.UnexpectedType;
    }

    fn integer(self: *Reader) Error!i64 {
        const head = try self.next();
        switch (head.kind) {
            .fixint => return @as(i8, @bitCast(@as(u8, @intCast(head.size)))),
            .unsigned => return std.math.cast(i64, try self.bigEndian(head.size)) orelse error.IntegerOutOfRange,
            .signed => {
                const unused_bits: u6 = @intCast(64 - 8 * head.size);
                const bits: i64 = @bitCast(try self.bigEndian(head.size) << unused_bits);
                return bits >> unused_bits;
            },
            else => return error.UnexpectedType,
        }
    }

    /// Pass over `values` whole values. It counts what is still owed, so nesting costs no stack.
    fn skip(self: *Reader, values: u64) Error!void {
        var owed = values;
        while (owed > 0) {
            owed -= 1;
            const head = try self.next();
            switch (head.kind) {
                .fixint => {},
                .array => owed += head.size,
                .map => owed += 2 * head.size,
                else => _ = try self.take(head.size),
            }
        }
    }

    fn next(self: *Reader) Error!Head {
        const marker = (try self.take(1))[0];
        return switch (marker) {
            0x00...0x7f, 0xe0...0xff => .{ .kind = .fixint, .size = marker },
            0x80...0x8f => .{ .kind = .map, .size = marker & 0x0f },
            0x90...0x9f => .{ .kind = .array, .size = marker & 0x0f },
            0xa0...0xbf => .{ .kind = .string, .size = marker & 0x1f },
            0xc0, 0xc2, 0xc3 => .{ .kind = .other, .size = 0 }, // nil, false, true
            0xc1 => error.UnexpectedType, // never used
            0xc4...0xc6 => .{ .kind = .other, .size = try self.bigEndian(width(marker, 0xc4)) }, // binary
            0xc7...0xc9 => .{ .kind = .other, .size = 1 + try self.bigEndian(width(marker, 0xc7)) }, // extension
            0xca, 0xcb => .{ .kind = .other, .size = 4 * width(marker, 0xca) }, // float
            0xcc...0xcf => .{ .kind = .unsigned, .size = width(marker, 0xcc) },
            0xd0...0xd3 => .{ .kind = .signed, .size = width(marker, 0xd0) },
            0xd4...0xd8 => .{ .kind = .other, .size = 1 + width(marker, 0xd4) }, // extension of fixed size
            0xd9...0xdb => .{ .kind = .string, .size = try self.bigEndian(width(marker, 0xd9)) },
            0xdc, 0xdd => .{ .kind = .array, .size = try self.bigEndian(2 * width(marker, 0xdc)) },
            0xde, 0xdf => .{ .kind = .map, .size = try self.bigEndian(2 * width(marker, 0xde)) },
        };
    }

    /// Markers of one family stand in a row, each for twice the width of the one before.
    fn width(marker: u8, first: u8) u64 {
        return @as(u64, 1) << @intCast(marker - first);
    }

    fn bigEndian(self: *Reader, size: u64) Error!u64 {
        var number: u64 = 0;
        for (try self.take(size)) |byte| number = number << 8 | byte;
        return number;
    }

    fn take(self: *Reader, size: u64) Error![]const u8 {
        if (size > self.rest.len) return error.Truncated;
        const taken = self.rest[0..@intCast(size)];
        self.rest = self.rest[taken.len..];
        return taken;
    }
};

/// A marker and the widest length or number that may follow it.
const head_bound = 9;

fn sizeBound(value: anytype) usize {
    return switch (@TypeOf(value)) {
        Bytes => head_bound + value.bytes.len,
        StringMap => {
            var bound: usize = head_bound;
            for (value.entries) |entry| bound += 2 * head_bound + entry[0].len + entry[1].len;
            return bound;
        },
        else => |T| if (@typeInfo(T) == .int) head_bound else head_bound + value.len,
    };
}

/// Writes into a buffer that `sizeBound` made large enough.
const Writer = struct {
    buffer: []u8,
    length: usize = 0,

    inline fn write(self: *Writer, value: anytype) void {
        switch (@TypeOf(value)) {
            []const u8 => self.string(value),
            Bytes => {
                self.sized(0xc4, value.bytes.len);
                self.append(value.bytes);
            },
            StringMap => {
                self.mapHead(value.entries.len);
                for (value.entries) |entry| for (entry) |text| self.string(text);
            },
            else => if (value < 128) self.byte(@intCast(value)) else self.sized(0xcc, value),
        }
    }

    fn string(self: *Writer, text: []const u8) void {
        if (text.len < 32) self.byte(0xa0 | @as(u8, @intCast(text.len))) else self.sized(0xd9, text.len);
        self.append(text);
    }

    fn mapHead(self: *Writer, entries: usize) void {
        if (entries < 16) return self.byte(0x80 | @as(u8, @intCast(entries)));
        self.byte(0xdf);
        self.bigEndian(4, entries);
    }

    /// A number after the marker of its family (`first` is the one for a byte) for the narrowest width that holds it.
    fn sized(self: *Writer, first: u8, number: u64) void {
        const step: u8 = if (number <= 0xff) 0 else if (number <= 0xffff) 1 else if (number <= 0xffff_ffff) 2 else 3;
        self.byte(first + step);
        self.bigEndian(@as(u8, 1) << @intCast(step), number);
    }

    fn bigEndian(self: *Writer, size: u8, number: u64) void {
        var shift = 8 * size;
        while (shift > 0) {
            shift -= 8;
            self.byte(@truncate(number >> @intCast(shift)));
        }
    }

    fn byte(self: *Writer, value: u8) void {
        self.buffer[self.length] = value;
        self.length += 1;
    }

    fn append(self: *Writer, bytes: []const u8) void {
        @memcpy(self.buffer[self.length..][0..bytes.len], bytes);
        self.length += bytes.len;
    }
};
