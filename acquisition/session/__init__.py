"""The procedure from choosing the patient to the report: its steps, what each needs, and the record of it all."""
