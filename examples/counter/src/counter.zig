//! An actor that counts HTTP requests, one counter for each path, in whatever key-value store its host binds.

const std = @import("std");
const msgpack = @import("msgpack.zig");
const wapc = @import("wapc.zig");

const longest_path = 1024;

/// What the HTTP server capability sends (`HandleRequest`). The fields in order, as an array holds no names.
const Request = struct {
    method: []const u8,
    path: []const u8,
    queryString: []const u8,
    header: msgpack.Ignored = .{},
    body: msgpack.Ignored = .{},
};

const Response = struct {
    statusCode: u16,
    status: []const u8,
    header: msgpack.StringMap,
    body: msgpack.Bytes,
};

/// The key-value capability's `Add`: adds to the number under a key, and answers the sum.
const AddRequest = struct { key: []const u8, value: u32 };
const AddResponse = struct { value: i64 };

export fn __guest_call(operation_len: usize, payload_len: usize) u32 {
    return wapc.serve(&.{
        .{ .name = "HandleRequest", .handler = handleRequest },
        .{ .name = "HealthRequest", .handler = handleHealth },
    }, operation_len, payload_len);
}

/// To be able to answer is to be healthy: the response is a nil.
fn handleHealth(_: []const u8) wapc.Error![]const u8 {
    return "\xc0";
}

fn handleRequest(payload: []const u8) wapc.Error![]const u8 {
    const request = try decode(Request, payload, "request: ");
    const known_method = for ([_][]const u8{ "GET", "HEAD", "POST" }) |method| {
        if (std.mem.eql(u8, method, request.method)) break true;
    } else false;
    if (!known_method) return respond(405, "Method Not Allowed", &allow_header, "{\"error\":\"method not allowed\"}");
    if (request.path.len > longest_path) return respond(414, "URI Too Long", &json_header, "{\"error\":\"path too long\"}");
    return respond(200, "OK", &json_header, try counterJson(try count(request.path)));
}

const json_header = [_][2][]const u8{.{ "content-type", "application/json" }};
const allow_header = json_header ++ [_][2][]const u8{.{ "allow", "GET, HEAD, POST" }};

fn respond(code: u16, status: []const u8, header: []const [2][]const u8, body: []const u8) wapc.Error![]const u8 {
    return msgpack.encode(Response{
        .statusCode = code,
        .status = status,
        .header = .{ .entries = header },
        .body = .{ .bytes = body },
    }, wapc.allocate);
}

/// Add one to the counter of this path. Its key has `:` for each `/`, as is the custom in key-value stores.
fn count(path: []const u8) wapc.Error!i64 {
    const key = try wapc.allocate(path.len);
    for (key, path) |*to, from| to.* = if (from == '/') ':' else from;
    const message = try msgpack.encode(AddRequest{ .key = key, .value = 1 }, wapc.allocate);
    const reply = try wapc.hostCall("default", "wascc:keyvalue", "Add", message);
    return (try decode(AddResponse, reply, "reply of the key-value store: ")).value;
}

fn decode(comptime T: type, message: []const u8, comptime subject: []const u8) wapc.Error!T {
    return msgpack.decode(T, message) catch |reason| {
        const why = msgpack.explain(reason);
        return wapc.fail(&.{ subject, why[0], why[1] });
    };
}

/// {"counter":number}
fn counterJson(number: i64) wapc.Error![]const u8 {
    const start = "{\"counter\":";
    const longest_number = 20;
    const buffer = try wapc.allocate(start.len + longest_number + 1);
    // Digits come out last one first, so the text is built from its end.
    var at = buffer.len - 1;
    buffer[at] = '}';
    var left = @abs(number);
    while (true) {
        at -= 1;
        buffer[at] = '0' + @as(u8, @intCast(left % 10));
        left /= 10;
        if (left == 0) break;
    }
    if (number < 0) {
        at -= 1;
        buffer[at] = '-';
    }
    at -= start.len;
    @memcpy(buffer[at..][0..start.len], start);
    return buffer[at..];
}
