"""The provider scenarios of the Pact compatibility suite, verified by `verify`.

The rules are those of the Pact compatibility suite (github.com/pact-foundation/pact-compatibility-suite), which every
implementation of Pact is held against; sentences, data and bodies are our own. Each test's docstring names the feature
of the suite that it stands for, and its name or its parameters the scenario:

| feature | scenarios | here |
| --- | --- | --- |
| V1 `http_provider` | 26 | `test_http_provider.py`, and `test_http_bodies.py` in every version |
| V2, V3, V4 `http_provider` | 4, 2, 2 | `test_http_provider.py` |
| V3, V4 `message_provider` | 18, 2 | `test_message_provider.py` |
| V4 `v4` | 1 | `test_message_provider.py`, as a pact of both kinds that is verified |
| V3, V4 `generators`, V3 `http_generators` | 10, 6, 7 | `test_generators.py` |
| V3 `http_matching`, V3, V4 `matching_rules` | 7, 24, 15 | `test_matching.py`, as what a provider answers |

The suite compares and prepares requests by themselves; here a provider answers, or receives, what they have.
`test_unsharded_core.py` compares `verify` with the core alone, over a variety of pacts that nobody wrote.
"""
