//! The guest side of waPC: what an actor needs to take calls from its host and to make calls of its own.
//!
//! An actor exports `__guest_call`, which hands over to `serve` with its table of operations. A handler gets the
//! payload and returns the response; whatever it allocates lives until the call ends. Nothing here keeps state
//! between calls, so a failed call cannot spoil the next one.

const std = @import("std");

const page_size = 65536;

/// The call has failed, and the host already has the text that says why (see `fail`).
pub const Error = error{GuestCallFailed};

/// One operation that the actor answers.
pub const Operation = struct {
    name: []const u8,
    handler: *const fn (payload: []const u8) Error![]const u8,
};

/// The functions that a waPC host provides. The linker imports only those in use.
const host = struct {
    extern "wapc" fn __guest_request(operation: [*]u8, payload: [*]u8) void;
    extern "wapc" fn __guest_response(ptr: [*]const u8, len: usize) void;
    extern "wapc" fn __guest_error(ptr: [*]const u8, len: usize) void;
    extern "wapc" fn __host_call(
        binding_ptr: [*]const u8,
        binding_len: usize,
        namespace_ptr: [*]const u8,
        namespace_len: usize,
        operation_ptr: [*]const u8,
        operation_len: usize,
        payload_ptr: [*]const u8,
        payload_len: usize,
    ) u32;
    extern "wapc" fn __host_response_len() usize;
    extern "wapc" fn __host_response(ptr: [*]u8) void;
    extern "wapc" fn __host_error_len() usize;
    extern "wapc" fn __host_error(ptr: [*]u8) void;
};

/// Answer one call: the body of `__guest_call`. Returns what waPC wants, 1 for success and 0 for an error.
pub fn serve(comptime operations: []const Operation, operation_len: usize, payload_len: usize) u32 {
    heap.reset();
    const response = dispatch(operations, operation_len, payload_len) catch return 0;
    host.__guest_response(response.ptr, response.len);
    return 1;
}

fn dispatch(comptime operations: []const Operation, operation_len: usize, payload_len: usize) Error![]const u8 {
    const operation = try allocate(operation_len);
    const payload = try allocate(payload_len);
    host.__guest_request(operation.ptr, payload.ptr);
    inline for (operations) |known| {
        if (std.mem.eql(u8, operation, known.name)) return known.handler(payload);
    }
    return fail(&.{ "bad dispatch: no operation is called ", operation });
}

/// Call the host: `operation` of the capability or actor `namespace`, through the named `binding`.
/// Returns the response; an error of the host becomes the error of this call.
pub fn hostCall(binding: []const u8, namespace: []const u8, operation: []const u8, payload: []const u8) Error![]const u8 {
    const succeeded = host.__host_call(
        binding.ptr,
        binding.len,
        namespace.ptr,
        namespace.len,
        operation.ptr,
        operation.len,
        payload.ptr,
        payload.len,
    );
    if (succeeded == 1) {
        const response = try allocate(host.__host_response_len());
        host.__host_response(response.ptr);
        return response;
    }
    const text = try allocate(host.__host_error_len());
    host.__host_error(text.ptr);
    return fail(&.{ "Host error: ", text });
}

/// Tell the host that this call failed, with the parts joined as the reason, and return the error to pass up.
pub fn fail(parts: []const []const u8) Error {
    var length: usize = 0;
    for (parts) |part| length += part.len;
    // Without room for the whole text its first part, which is the actor's own, has to do.
    const text = heap.take(length) orelse {
        host.__guest_error(parts[0].ptr, parts[0].len);
        return error.GuestCallFailed;
    };
    var end: usize = 0;
    for (parts) |part| {
        @memcpy(text[end..][0..part.len], part);
        end += part.len;
    }
    host.__guest_error(text.ptr, text.len);
    return error.GuestCallFailed;
}

/// `size` bytes, not initialised, that live until this call ends. The memory's maximum (a linker flag) is the limit.
pub fn allocate(size: usize) Error![]u8 {
    return heap.take(size) orelse fail(&.{"out of memory: the call needs more than this actor may use"});
}

/// A bump allocator over the memory above the linker's data and stack; `reset` frees everything at once.
const heap = struct {
    extern var __heap_base: u8;
    var next: usize = 0;

    fn reset() void {
        next = @intFromPtr(&__heap_base);
    }

    fn take(size: usize) ?[]u8 {
        const start = next;
        // The sum has 64 bits, as lengths come from the host and might wrap around the address space.
        const end = @as(u64, start) + size;
        const pages = (end + page_size - 1) / page_size;
        const present = @wasmMemorySize(0);
        if (pages > present) {
            if (@wasmMemoryGrow(0, @intCast(pages - present)) < 0) return null;
        }
        next = @intCast(end);
        return @as([*]u8, @ptrFromInt(start))[0..size];
    }
};

// The compiler calls these two for copies and fills of unknown length, as WebAssembly 1.0 has no instructions for them.
// With intrinsics enabled it would see what the loops do, and make them calls of the very functions they are in.

export fn memcpy(noalias to: [*]u8, noalias from: [*]const u8, size: usize) [*]u8 {
    @disableIntrinsics();
    for (0..size) |i| to[i] = from[i];
    return to;
}

export fn memset(to: [*]u8, byte: u8, size: usize) [*]u8 {
    @disableIntrinsics();
    for (0..size) |i| to[i] = byte;
    return to;
}
