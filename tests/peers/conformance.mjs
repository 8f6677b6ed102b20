// A server of MCP on standard input and output with what the scenarios of @modelcontextprotocol/conformance ask for, in both eras:
// the SDK takes the era of the first message.
import { createHmac, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { McpServer, ProtocolError } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";

const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";
const META = "io.modelcontextprotocol/";
const SECRET = randomBytes(16);

const text = (words) => ({ type: "text", text: words });
const image = { type: "image", data: PIXEL, mimeType: "image/png" };
const embedded = (uri, mimeType, words) => ({ type: "resource", resource: { uri, mimeType, text: words } });
const says = (...content) => ({ content });
const sign = (state) => `${state}.${createHmac("sha256", SECRET).update(state).digest("hex")}`;
const asks = (inputRequests, requestState) => ({ resultType: "input_required", inputRequests, ...(requestState && { requestState: sign(requestState) }) });
const form = (message, properties, required = Object.keys(properties)) => ({
    method: "elicitation/create", params: { message, requestedSchema: { type: "object", properties, required } },
});
const sample = (words, maxTokens = 100) => ({
    method: "sampling/createMessage", params: { messages: [{ role: "user", content: text(words) }], maxTokens },
});
const roots = { method: "roots/list", params: {} };
const named = (title, ...values) => values.map((value, at) => ({ const: value, title: `${["First", "Second", "Third"][at]} ${title}` }));

// The SDK keeps the parts of a request that are the protocol's own apart from its params.
const answers = (ctx) => ctx.mcpReq.inputResponses ?? {};
const envelope = (ctx) => ctx.mcpReq.envelope ?? {};
const content = (answer) => (answer?.action === "accept" ? answer.content : undefined);
function checked(ctx) {
    const sent = ctx.mcpReq.requestState?.();
    const state = sent?.split(".")[0];
    if (sent !== undefined && sign(state) !== sent) {
        throw new ProtocolError(-32602, "the requestState is not the server's");
    }
    return state;
}
async function elicited(ctx, question, words) {
    const answer = await ctx.mcpReq.send(question);
    return says(text(`${words}: action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`));
}

const ENUMS = {
    untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
    titledSingle: { type: "string", oneOf: named("Option", "value1", "value2", "value3") },
    legacyEnum: { type: "string", enum: ["opt1", "opt2", "opt3"], enumNames: ["Option One", "Option Two", "Option Three"] },
    untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2", "option3"] } },
    titledMulti: { type: "array", items: { anyOf: named("Choice", "value1", "value2", "value3") } },
};
const DEFAULTS = {
    name: { type: "string", default: "John Doe" },
    age: { type: "integer", default: 30 },
    score: { type: "number", default: 95.5 },
    status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
    verified: { type: "boolean", default: true },
};
const DIALECT = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    $defs: { address: { $anchor: "addressDef", type: "object", properties: { street: { type: "string" }, city: { type: "string" } } } },
    properties: {
        name: { type: "string" }, address: { $ref: "#/$defs/address" }, contactMethod: { type: "string", enum: ["phone", "email"] },
        phone: { type: "string" }, email: { type: "string" },
    },
    allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
    if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
    then: { required: ["phone"] },
    else: { required: ["email"] },
    additionalProperties: false,
};
const string = (name, more = {}) => ({ type: "object", properties: { [name]: { type: "string", ...more } }, required: [name] });

// Each tool: what it does, and its schema if it takes arguments.
const TOOLS = {
    test_simple_text: [() => says(text("This is a simple text response for testing."))],
    test_image_content: [() => says(image)],
    test_audio_content: [() => says({ type: "audio", data: SILENCE, mimeType: "audio/wav" })],
    test_embedded_resource: [() => says(embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."))],
    test_multiple_content_types: [() => says(text("Multiple content types test:"), image,
        embedded("test://mixed-content-resource", "application/json", JSON.stringify({ test: "data", value: 123 })))],
    test_tool_with_logging: [async (request, ctx) => {
        for (const data of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
            await ctx.mcpReq.notify({ method: "notifications/message", params: { level: "info", data } });
            await sleep(50);
        }
        return says(text("It has logged."));
    }],
    test_tool_with_progress: [async (request, ctx) => {
        const progressToken = ctx.mcpReq._meta?.progressToken;
        for (const progress of [0, 50, 100]) {
            if (progressToken !== undefined) {
                await ctx.mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, total: 100 } });
            }
            await sleep(50);
        }
        return says(text("It has told its progress."));
    }],
    test_error_handling: [() => ({ isError: true, ...says(text("This tool intentionally returns an error for testing")) })],
    test_reconnection: [async () => (await sleep(100), says(text("Reconnection test completed successfully.")))],
    test_sampling: [async (request, ctx) => {
        const answer = await ctx.mcpReq.send(sample(request.params.arguments.prompt));
        return says(text(`LLM response: ${answer.content.text}`));
    }, string("prompt")],
    test_elicitation: [(request, ctx) => elicited(ctx, form(request.params.arguments.message,
        { username: { type: "string", description: "User's response" }, email: { type: "string", description: "User's email address" } }),
    "User response"), string("message")],
    test_elicitation_sep1034_defaults: [(request, ctx) => elicited(ctx, form("The defaults", DEFAULTS, []), "Elicitation completed")],
    test_elicitation_sep1330_enums: [(request, ctx) => elicited(ctx, form("The choices", ENUMS, []), "Elicitation completed")],
    json_schema_2020_12_tool: [(request) => says(text(JSON.stringify(request.params.arguments))), DIALECT],
    test_custom_headers: [(request) => says(text(JSON.stringify(request.params.arguments))), string("region", { "x-mcp-header": "Region" })],
    test_missing_capability: [(request, ctx) => {
        if (!envelope(ctx)[`${META}clientCapabilities`]?.sampling) {
            throw new ProtocolError(-32021, "the client needs the capability sampling", { requiredCapabilities: { sampling: {} } });
        }
        return says(text("The client has the capability."));
    }],
    test_logging_tool: [async (request, ctx) => {
        if (envelope(ctx)[`${META}logLevel`]) {
            await ctx.mcpReq.notify({ method: "notifications/message", params: { level: "info", data: "logged" } });
        }
        return says(text("It has logged if it was asked to."));
    }],
    test_streaming_elicitation: [(request, ctx) => content(answers(ctx).who) ? says(text("done")) : asks({ who: form("Who?", { name: { type: "string" } }) })],
    test_trigger_tool_change: [(request, ctx, server) => (server.sendToolListChanged(), says(text("changed")))],
    test_trigger_prompt_change: [(request, ctx, server) => (server.sendPromptListChanged(), says(text("changed")))],
    test_input_required_result_elicitation: [(request, ctx) => {
        const name = content(answers(ctx).user_name)?.name;
        return typeof name === "string" ? says(text(`Hello, ${name}!`)) : asks({ user_name: form("What is your name?", { name: { type: "string" } }) });
    }],
    test_input_required_result_sampling: [(request, ctx) => {
        const answer = answers(ctx).capital_question?.content?.text;
        return answer ? says(text(answer)) : asks({ capital_question: sample("What is the capital of France?") });
    }],
    test_input_required_result_list_roots: [(request, ctx) => {
        const found = answers(ctx).client_roots?.roots;
        return found ? says(text(JSON.stringify(found))) : asks({ client_roots: roots });
    }],
    test_input_required_result_request_state: [(request, ctx) => checked(ctx) === "one" && content(answers(ctx).confirm)
        ? says(text("state-ok")) : asks({ confirm: form("Please confirm", { ok: { type: "boolean" } }) }, "one")],
    test_input_required_result_multiple_inputs: [(request, ctx) => {
        const { user_name, greeting, client_roots } = answers(ctx);
        return checked(ctx) === "all" && user_name && greeting && client_roots ? says(text("all of them")) : asks({
            user_name: form("What is your name?", { name: { type: "string" } }), greeting: sample("Generate a greeting", 50), client_roots: roots,
        }, "all");
    }],
    test_input_required_result_multi_round: [(request, ctx) => {
        const { step1, step2 } = answers(ctx);
        const state = checked(ctx);
        if (state === "two" && step2) return says(text("Both steps are done."));
        return state === "one" && step1
            ? asks({ step2: form("Step 2: What is your favorite color?", { color: { type: "string" } }) }, "two")
            : asks({ step1: form("Step 1: What is your name?", { name: { type: "string" } }) }, "one");
    }],
    test_input_required_result_tampered_state: [(request, ctx) => checked(ctx) === "whole"
        ? says(text("the state is whole")) : asks({ confirm: form("Please confirm", { ok: { type: "boolean" } }) }, "whole")],
    test_input_required_result_capabilities: [(request, ctx) => {
        const has = envelope(ctx)[`${META}clientCapabilities`] ?? {};
        const all = { elicitation: form("What?", { what: { type: "string" } }), sampling: sample("What?"), roots };
        return Object.keys(answers(ctx)).length ? says(text("done"))
            : asks(Object.fromEntries(Object.entries(all).filter(([name]) => has[name])));
    }],
};

const PROMPTS = {
    test_simple_prompt: [() => [text("This is a simple prompt for testing.")]],
    test_prompt_with_arguments: [({ arg1, arg2 }) => [text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)], "arg1", "arg2"],
    test_prompt_with_embedded_resource: [({ resourceUri }) => [embedded(resourceUri, "text/plain", "Embedded resource content for testing."),
        text("Please process the embedded resource above.")], "resourceUri"],
    test_prompt_with_image: [() => [image, text("Please analyze the image above.")]],
    test_input_required_result_prompt: [(args, ctx) => {
        const context = content(answers(ctx).user_context)?.context;
        return context ? [text(`In the context ${context}`)]
            : asks({ user_context: form("What context should the prompt use?", { context: { type: "string" } }) });
    }],
};

const RESOURCES = {
    "test://static-text": { mimeType: "text/plain", text: "This is the content of the static text resource." },
    "test://static-binary": { mimeType: "image/png", blob: PIXEL },
    "test://watched-resource": { mimeType: "text/plain", text: "This is a watched resource." },
};
const FRESH = { ttlMs: 0, cacheScope: "private" };

serveStdio(() => {
    const mcp = new McpServer({ name: "conformance", version: "1.0.0" }, {
        capabilities: {
            tools: { listChanged: true }, prompts: { listChanged: true }, resources: { subscribe: true, listChanged: true },
            logging: {}, completions: {},
        },
    });
    const on = (method, handler) => mcp.server.setRequestHandler(method, handler);
    on("tools/list", () => ({
        tools: Object.entries(TOOLS).map(([name, [, inputSchema = { type: "object", properties: {} }]]) => ({ name, description: `Does ${name}`, inputSchema })),
        ...FRESH,
    }));
    on("tools/call", (request, ctx) => {
        const tool = TOOLS[request.params.name];
        if (!tool) throw new ProtocolError(-32602, `unknown tool: ${request.params.name}`);
        return tool[0](request, ctx, mcp);
    });
    on("prompts/list", () => ({
        prompts: Object.entries(PROMPTS).map(([name, [, ...names]]) => ({
            name, description: `Prompts ${name}`, arguments: names.map((name) => ({ name, description: name, required: true })),
        })),
        ...FRESH,
    }));
    on("prompts/get", (request, ctx) => {
        const prompt = PROMPTS[request.params.name];
        if (!prompt) throw new ProtocolError(-32602, `unknown prompt: ${request.params.name}`);
        const made = prompt[0](request.params.arguments ?? {}, ctx);
        return Array.isArray(made) ? { messages: made.map((content) => ({ role: "user", content })) } : made;
    });
    on("resources/list", () => ({
        resources: Object.entries(RESOURCES).map(([uri, { mimeType }]) => ({ uri, name: uri, description: uri, mimeType })), ...FRESH,
    }));
    on("resources/templates/list", () => ({
        resourceTemplates: [{ uriTemplate: "test://template/{id}/data", name: "template", description: "data of an id", mimeType: "application/json" }],
        ...FRESH,
    }));
    on("resources/read", (request) => {
        const uri = request.params.uri;
        const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
        const made = id && { mimeType: "application/json", text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) };
        const found = RESOURCES[uri] ?? made;
        if (!found) throw new ProtocolError(-32602, `Resource not found: ${uri}`, { uri });
        return { contents: [{ uri, ...found }], ...FRESH };
    });
    on("resources/subscribe", () => ({}));
    on("resources/unsubscribe", () => ({}));
    on("logging/setLevel", () => ({}));
    on("completion/complete", () => ({ completion: { values: ["paris", "park", "party"], total: 150, hasMore: false } }));
    return mcp;
}, { onerror: (error) => console.error(error.message) });
