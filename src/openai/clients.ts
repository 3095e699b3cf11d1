/** What takes long to load: it is imported with the first call to an upstream. */
import { type AzureClientOptions, AzureOpenAI, type ClientOptions, OpenAI } from 'openai';

export const createClient = (options: ClientOptions): OpenAI => new OpenAI(options);
export const createAzureClient = (options: AzureClientOptions): OpenAI => new AzureOpenAI(options);
